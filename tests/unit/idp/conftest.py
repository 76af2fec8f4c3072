from collections.abc import AsyncIterator

import pytest_asyncio

from tests.conftest import Dsns
from tests.provider import Provider, running_provider


@pytest_asyncio.fixture
async def idp(dsns: Dsns) -> AsyncIterator[Provider]:
    async with running_provider(dsns.idp, dsns.owner, demo_outbox=True) as provider:
        yield provider
