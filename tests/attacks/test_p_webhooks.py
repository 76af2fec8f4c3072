"""Who must not be told any more (A-09, P-16)."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from locker.administrations.suspend import resume, suspend
from tests.locker_world import INTERIOR
from tests.unit.locker.webhooks.told import Told, open_told

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened(dsns: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Told]:
    async with open_told(dsns, s3, tmp_path_factory.mktemp("webhooks")) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def told(opened: Told) -> AsyncIterator[Told]:
    yield opened
    await opened.clean()


async def test_a_09_a_suspended_administration_hears_nothing(told: Told) -> None:
    by = told.administration()
    made = await told.register(by, told.site.serve("/hook", b""), "document.deposited", "document.revoked")
    wiring = told.world.wiring
    await told.deposited()
    await told.spread()
    await suspend(wiring.db, wiring.audit, INTERIOR, reason="test", officer="test")
    try:
        await told.deliver()
        assert told.received() == []
        assert (await told.world.locker.get("/v1/webhooks", headers=by)).status_code == 401
    finally:
        await resume(wiring.db, wiring.audit, INTERIOR, officer="test")
    (message,) = await told.messages(by, made["webhook"]["webhook_id"])
    assert (message["state"], message["attempts"]) == ("held", 0)


async def test_p_16_a_relying_party_that_the_provider_disabled_hears_nothing(told: Told) -> None:
    bank = told.relying_party("bank")
    made = await told.register(bank, told.site.serve("/bank", b""), "share.document_revoked")
    document_id = await told.deposited()
    await told.share(document_id, "bank")
    await told.change(document_id, "revoke", reason="issued-in-error")
    await told.spread()
    # While nobody can say whether it stands, it is not told, and no attempt is lost.
    told.world.provider.away = True
    told.world.wiring.provider.forget_machine_token("subjects:resolve")
    await told.deliver()
    told.world.provider.away = False
    told.world.provider.disabled.add("bank")
    await told.hurry()
    await told.deliver()
    told.world.provider.disabled.clear()
    assert told.received() == []
    (message,) = await told.messages(bank, made["webhook"]["webhook_id"])
    assert (message["state"], message["attempts"]) == ("held", 0)


async def test_p_16_whom_the_citizen_disconnected_hears_nothing_of_what_was_allowed_then(told: Told) -> None:
    """What was allowed at sign-in ends with the connection, of which the provider alone knows."""
    bank = told.relying_party("bank")
    made = await told.register(
        bank, told.site.serve("/bank", b""), "share.document_suspended", "share.document_resumed"
    )
    document_id = await told.deposited()
    share_id, _opening_id = await told.share(document_id, "bank")
    await told.world.owner_db.execute("UPDATE locker.share SET grant_id = 'connection-1' WHERE share_id = $1", share_id)
    told.world.provider.connections.add("connection-1")
    await told.change(document_id, "suspend", reason="under-review")
    await told.deliver()
    assert [request.path for request in told.received()] == ["/bank"]
    # Between what happened and the attempt, the citizen ends it.
    await told.change(document_id, "resume")
    await told.spread()
    told.world.provider.away = True
    await told.deliver()
    told.world.provider.away = False
    assert told.received() == []
    told.world.provider.connections.clear()
    await told.hurry()
    await told.deliver()
    assert told.received() == []
    newest, _taken = await told.messages(bank, made["webhook"]["webhook_id"])
    assert (newest["type"], newest["state"], newest["attempts"]) == ("share.document_resumed", "held", 0)
    # Of another share of the same document, which hangs on no connection, the service is told.
    await told.share(document_id, "bank")
    await told.change(document_id, "suspend", reason="under-review")
    await told.deliver()
    assert [request.path for request in told.received()] == ["/bank"]


async def test_p_16_what_the_citizen_ended_before_the_attempt_is_told_no_more(told: Told) -> None:
    bank = told.relying_party("bank")
    made = await told.register(bank, told.site.serve("/bank", b""), "share.document_revoked")
    document_id = await told.deposited()
    share_id, _opening_id = await told.share(document_id, "bank")
    await told.change(document_id, "revoke", reason="issued-in-error")
    await told.spread()
    await told.world.owner_db.execute("UPDATE locker.share SET revoked_at = now() WHERE share_id = $1", share_id)
    await told.deliver()
    assert told.received() == []
    (message,) = await told.messages(bank, made["webhook"]["webhook_id"])
    assert (message["state"], message["attempts"]) == ("held", 0)
