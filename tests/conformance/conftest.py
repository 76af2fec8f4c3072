from collections.abc import AsyncIterator

import pytest_asyncio

from tests.conftest import Dsns
from tests.provider import Provider, running_provider
from tests.sites import Site, authority_files, running_site


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def idp(dsns: Dsns) -> AsyncIterator[Provider]:
    """One provider a checklist; it may fetch from this machine, where the suite's relying parties are."""
    async with running_provider(
        dsns.idp,
        dsns.owner,
        outbound_loopback=True,
        outbound_ca_file=authority_files()[0],
        registrations_per_minute_of_address=10_000,
    ) as provider:
        yield provider


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site() -> AsyncIterator[Site]:
    """The relying party's server."""
    async with running_site() as found:
        yield found
