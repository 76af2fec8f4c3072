import pytest

from idp.authenticators import store as authenticators
from idp.messages import store as messages
from idp.sessions import store as sessions
from idp.sign_in import store as sign_in
from tests.people import active, first_factor, signed_in
from tests.provider import Provider

pytestmark = pytest.mark.asyncio(loop_scope="module")

TABLES = ("session", "sign_in_attempt", "one_time_code", "outbox")


async def rows_of(idp: Provider) -> list[int]:
    return [(await idp.owner(f"SELECT count(*) FROM idp.{table}"))[0][0] for table in TABLES]


async def test_what_is_over_is_swept_and_what_lives_stays(idp: Provider) -> None:
    person = await active(idp, method="sms")
    with_app = await active(idp)
    async with signed_in(idp, with_app), idp.browser() as browser:
        await first_factor(browser, person)
    sweeps = (sessions.sweep, sign_in.sweep, authenticators.sweep, messages.sweep)
    before = await rows_of(idp)
    assert min(before) > 0
    for sweep in sweeps:
        await sweep(idp.wiring.db)
    assert await rows_of(idp) == before
    for table in ("session", "sign_in_attempt", "one_time_code"):
        await idp.owner(f"UPDATE idp.{table} SET expires_at = expires_at - interval '4 days'")
    await idp.owner("UPDATE idp.outbox SET created_at = created_at - interval '4 days'")
    for sweep in sweeps:
        await sweep(idp.wiring.db)
    assert await rows_of(idp) == [0, 0, 0, 0]
