"""Codes against a real database: bound, counted, spent once."""

import asyncio
from uuid import UUID

import pytest
import pytest_asyncio

from idp.authenticators import store
from idp.authenticators.check_code import check_code
from idp.authenticators.check_totp import check_totp
from idp.authenticators.one_time_code import as_typed
from idp.authenticators.refusals import TooManyCodes
from idp.authenticators.schema import Destination, Purpose
from idp.authenticators.send_code import send_code
from idp.authenticators.set_up_totp import confirm, proposed
from idp.authenticators.totp import code_at, step_at
from idp.messages.post import Post
from kit.i18n import Locale
from tests.people import last_code
from tests.provider import Provider

pytestmark = pytest.mark.asyncio(loop_scope="module")

PHONE = Destination("sms", "+212612345678")


class Codes:
    def __init__(self, idp: Provider, citizen_id: UUID) -> None:
        self.idp, self.citizen_id = idp, citizen_id

    async def sent(self, purpose: Purpose = "sign-in", binding: str = "t-1", *, capped: bool = False) -> str:
        parts = self.idp.wiring
        await parts.db.transact(
            lambda tx: send_code(
                tx,
                parts.audit,
                parts.throttle,
                parts.secrets,
                Post(parts.secrets, parts.pages),
                self.citizen_id,
                PHONE,
                purpose=purpose,
                binding=binding,
                locale=Locale.FR,
                lifetime_s=600,
                capped=capped,
            )
        )
        return await last_code(self.idp, self.citizen_id)

    async def passes(self, code: str, purpose: Purpose = "sign-in", binding: str = "t-1") -> bool:
        return (
            await check_code(
                self.idp.wiring.db, self.idp.wiring.secrets, self.citizen_id, code, purpose=purpose, binding=binding
            )
            is not None
        )


@pytest_asyncio.fixture(loop_scope="module")
async def codes(idp: Provider) -> Codes:
    return Codes(idp, await idp.citizen())


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06d}"


async def test_of_many_callers_with_one_code_one_passes(codes: Codes) -> None:
    code = await codes.sent()
    assert sorted(await asyncio.gather(*(codes.passes(code) for _ in range(4)))) == [False, False, False, True]


async def test_a_code_is_good_for_its_purpose_and_transaction_alone(codes: Codes) -> None:
    code = await codes.sent()
    await codes.sent("contact")
    assert not await codes.passes(code, "contact")
    await codes.sent("sign-in", "t-2")
    assert not await codes.passes(code, "sign-in", "t-2")
    assert await codes.passes(code)


async def test_five_wrong_tries_end_it_also_over_several_codes(codes: Codes) -> None:
    for _ in range(5):
        assert not await codes.passes(wrong(await codes.sent()))
    with pytest.raises(TooManyCodes):
        await codes.sent()


async def test_a_number_gets_six_codes_an_hour(codes: Codes, idp: Provider) -> None:
    await idp.owner("DELETE FROM idp.throttle")
    for number in range(6):
        await codes.sent(binding=f"c-{number}", capped=True)
    with pytest.raises(TooManyCodes):
        await codes.sent(binding="c-7", capped=True)


async def test_no_code_and_no_number_stands_readable_in_the_database(codes: Codes, idp: Provider) -> None:
    code = await codes.sent()
    for table in ("outbox", "one_time_code", "audit", "throttle"):
        rows = await idp.owner(f"SELECT t::text AS line FROM idp.{table} t")
        text = "\n".join(row["line"] for row in rows)
        assert f'"{code}"' not in text
        assert f",{code}," not in text
        if table != "one_time_code":
            assert PHONE.address not in text


async def test_an_app_is_confirmed_by_a_code_and_each_step_passes_once(codes: Codes, idp: Provider) -> None:
    db, secrets, citizen_id = idp.wiring.db, idp.wiring.secrets, codes.citizen_id
    secret = await proposed(db, secrets, citizen_id)
    assert await proposed(db, secrets, citizen_id) == secret
    assert not await confirm(db, idp.wiring.audit, secrets, citizen_id, "000000")
    row = await store.pending_totp(db, citizen_id)
    assert row is not None
    step = step_at(row["now_s"])
    assert await confirm(db, idp.wiring.audit, secrets, citizen_id, code_at(secret, step))
    sealed = (await idp.owner("SELECT secret_sealed FROM idp.totp WHERE citizen_id = $1", citizen_id))[0][0]
    assert secret not in sealed
    following = code_at(secret, step + 1)

    async def tries(code: str) -> bool:
        return await check_totp(db, secrets, citizen_id, code, secret_sealed=sealed, now_s=row["now_s"])

    assert not await tries(code_at(secret, step))
    assert sorted(await asyncio.gather(*(tries(following) for _ in range(4)))) == [False, False, False, True]
    assert not await tries(code_at(secret, step - 1))


@pytest.mark.parametrize("typed", ["١٢٣٤٥٦", "۱۲۳۴۵۶", "123 456", " 12-34-56 ", "\u200f١٢٣ ٤٥٦\u200e"])
async def test_digits_of_either_script_and_spaces_are_read(typed: str) -> None:
    assert as_typed(typed) == "123456"
