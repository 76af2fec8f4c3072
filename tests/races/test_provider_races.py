"""Attack rows at the provider: an act is stopped before each of its steps in turn, and the account ends meanwhile.

No token and no session lives on, and of an erased account no row is left.
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from kit.db import Database
from tests.interleaving import steps_stop
from tests.provider import Provider, running_provider
from tests.races.provider_acts import race
from tests.races.scene import TABLES_WITH

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def racing(dsns: Any) -> AsyncIterator[tuple[Provider, Database]]:
    rows = await Database.connect(dsns.owner)
    await rows.execute(TABLES_WITH)
    try:
        async with running_provider(dsns.idp, dsns.owner) as idp:
            with steps_stop():
                yield idp, rows
    finally:
        await rows.close()


@pytest.mark.parametrize("second", ["freeze", "erase", "disconnect"])
@pytest.mark.parametrize("first", ["exchange", "refresh"])
async def test_o_43_no_token_outlives_what_it_stands_on(
    racing: tuple[Provider, Database], first: str, second: str
) -> None:
    many, found = await race(*racing, first, second)
    assert found == []
    assert many >= 2


@pytest.mark.parametrize("first", ["wrong_password", "allow"])
async def test_p_01_what_a_request_still_writes_of_an_erased_account_goes_too(
    racing: tuple[Provider, Database], first: str
) -> None:
    many, found = await race(*racing, first, "erase")
    assert found == []
    assert many >= 4
