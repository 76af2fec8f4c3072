"""The device with the master key is away: nothing is opened or taken in without it, nothing is kept plain instead."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pkcs11
import pytest
import pytest_asyncio

from locker.vault.keys import Keys
from locker.vault.masters import make_next, masters_of
from tests.locker_world import AMINA, YOUSSEF, World, open_world, settings_for
from tests.softhsm import Token, make_token

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Token]:
    made = make_token(tmp_path_factory.mktemp("softhsm"))
    yield made
    pkcs11.unload(str(made.module))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(dsns: Any, s3: Any, token: Token, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    folder = tmp_path_factory.mktemp("locker")
    device = {f"master_{name}": value for name, value in token.settings.items()}
    masters = masters_of(settings_for(dsns.locker, s3, folder, **device))
    await make_next(settings_for(dsns.locker, s3, folder, **device), masters)
    masters.close()
    async with open_world(dsns, s3, folder, **device) as opened:
        yield opened


async def original(world: World, document_id: str, uid: str) -> httpx.Response:
    return await world.locker.get(f"/v1/documents/{document_id}/original", headers=world.citizen(uid))


async def test_f_29_without_the_master_key_503_and_alone_again(world: World, token: Token) -> None:
    pdf = world.sealed()
    deposited = (await world.deposit(pdf)).json()
    document_id = deposited["document_id"]
    assert not list(world.wiring.settings.keys_folder.glob("master*.key")), "no key in a file beside it"
    before = await world.counts()
    token.go_away()
    try:
        # What was unwrapped a moment ago still opens, for five minutes at most: test_masters.py counts them.
        assert (await original(world, document_id, AMINA)).content == pdf
        # A process that remembers nothing.
        world.wiring.vault.keys = Keys(world.wiring.db, masters_of(world.wiring.settings))
        refused = await original(world, document_id, AMINA)
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) >= 1
        assert pdf[:20] not in refused.content
        new = [await world.deposit(), await world.deposit(uid=YOUSSEF)]
        assert [answer.status_code for answer in new] == [503, 503]
        after = await world.counts()
        assert (after["document"], after["objects"]) == (before["document"], before["objects"])
        listed = await world.locker.get("/v1/documents", headers=world.citizen())
        assert listed.status_code == 200
    finally:
        token.come_back()
    assert (await original(world, document_id, AMINA)).content == pdf
    assert (await world.deposit(uid=YOUSSEF)).status_code == 201
