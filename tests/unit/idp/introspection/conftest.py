from collections.abc import AsyncIterator

import pytest_asyncio

from tests.conftest import Dsns
from tests.provider import Provider, running_provider


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def idp(dsns: Dsns) -> AsyncIterator[Provider]:
    """One running provider a test module; its tests share the module's event loop and make their own people."""
    async with running_provider(dsns.idp, dsns.owner) as provider:
        yield provider
