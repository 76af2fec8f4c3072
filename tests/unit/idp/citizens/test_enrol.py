"""Enrolment against a real database."""

import asyncio

import asyncpg
import msgspec
import pytest

from idp.citizens.change_state import change_state
from idp.citizens.enrol import enrol
from idp.citizens.refusals import AlreadyEnrolled, NotEnrollable, ReferenceInUse, StateRefused, UnknownCitizen
from idp.citizens.schema import Enrolled
from idp.citizens.sealed import Sealer
from idp.citizens.unique_identifier import is_uid
from idp.sessions.cookies import SESSION_COOKIE
from idp.sessions.current import current
from tests.people import enrolled, enrolment
from tests.provider import Provider

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_citizen_gets_an_identifier_and_a_code(idp: Provider) -> None:
    made = await enrolled(idp, cnie="zz10001")
    assert is_uid(made.uid)
    assert made.created
    assert made.activation_code
    assert len(made.activation_code) == 14


async def test_the_card_number_is_sealed_and_found_again(idp: Provider) -> None:
    made = await enrolled(idp, cnie="ZZ10002")
    row = (await idp.owner("SELECT * FROM idp.citizen WHERE uid = $1", made.uid))[0]
    assert b"10002" not in row["cnie_sealed"]
    sealer = Sealer(idp.wiring.secrets.derive("cnie"))
    assert sealer.open(row["cnie_sealed"], place=f"cnie|{made.citizen_id}") == b"ZZ10002"
    with pytest.raises(AlreadyEnrolled):
        await enrolled(idp, cnie="zz10002")


async def test_a_line_sent_twice_enrols_once_also_at_the_same_moment(idp: Provider) -> None:
    line = enrolment(cnie="ZZ10003", external_reference="rabat/1")

    async def once() -> Enrolled:
        return await enrol(
            idp.wiring.db, idp.wiring.audit, idp.wiring.secrets, line, officer="test", code_lifetime_s=60
        )

    made = await asyncio.gather(*(once() for _ in range(5)))
    assert len({one.uid for one in made}) == 1
    assert sorted(one.created for one in made) == [False, False, False, False, True]


async def test_a_reference_of_somebody_else_is_refused(idp: Provider) -> None:
    await enrolled(idp, cnie="ZZ10004", external_reference="rabat/2")
    with pytest.raises(ReferenceInUse):
        await enrolled(idp, cnie="ZZ10005", external_reference="rabat/2")


@pytest.mark.parametrize("birthdate", ["1990-02-30", "3000-01-01", "1700-01-01"])
async def test_a_birth_date_must_be_a_date_of_the_past(idp: Provider, birthdate: str) -> None:
    with pytest.raises(NotEnrollable):
        await enrolled(idp, claims={"birthdate": birthdate})


@pytest.mark.parametrize(
    "claims", [{"given_name#fr": ""}, {"email": "nobody"}, {"phone_number": "0612345678"}, {"uid": "2364578913"}]
)
async def test_other_shapes_are_refused_at_the_edge(claims: dict[str, str]) -> None:
    with pytest.raises(msgspec.ValidationError):
        enrolment(claims=claims)


async def test_controls_leave_names_and_lines_stay_in_addresses(idp: Provider) -> None:
    made = await enrolled(
        idp,
        claims={
            "given_name#fr": " Am\u202eina\x07 ",
            "address": {"formatted": "12, rue des Orangers\n10090  Rabat"},
        },
    )
    row = (await idp.owner("SELECT claims FROM idp.citizen WHERE uid = $1", made.uid))[0]
    claims = msgspec.json.decode(row["claims"])
    assert claims["given_name#fr"] == "Amina"
    assert claims["address"]["formatted"] == "12, rue des Orangers\n10090 Rabat"


async def test_a_suspension_ends_sessions_and_moves_the_mark_of_tokens(idp: Provider) -> None:
    citizen_id = await idp.citizen()
    row = (await idp.owner("SELECT uid, tokens_valid_from FROM idp.citizen WHERE citizen_id = $1", citizen_id))[0]
    async with await idp.signed_in(citizen_id) as browser:
        token = browser.cookies[SESSION_COOKIE]
        assert await current(idp.wiring.db, token) is not None

        async def change(what: str) -> str:
            return await change_state(
                idp.wiring.db,
                idp.wiring.audit,
                row["uid"],
                what,  # type: ignore[arg-type]
                actor_kind="officer",
                actor="test",
                reason="a test",
            )

        assert await change("suspend") == "suspended"
        assert await current(idp.wiring.db, token) is None
        assert await change("reactivate") == "active"
        assert await current(idp.wiring.db, token) is None
        with pytest.raises(StateRefused):
            await change("unfreeze")
    after = (await idp.owner("SELECT tokens_valid_from FROM idp.citizen WHERE citizen_id = $1", citizen_id))[0]
    assert after["tokens_valid_from"] > row["tokens_valid_from"]


async def test_an_unknown_citizen_has_no_state(idp: Provider) -> None:
    with pytest.raises(UnknownCitizen):
        await change_state(
            idp.wiring.db,
            idp.wiring.audit,
            "2000000000",
            "suspend",
            actor_kind="officer",
            actor="test",
            reason="a test",
        )


async def test_the_app_may_not_change_an_identifier_nor_delete_a_citizen(idp: Provider) -> None:
    made = await enrolled(idp)
    for sql in (
        "UPDATE idp.citizen SET uid = '2364578913' WHERE uid = $1",
        "DELETE FROM idp.citizen WHERE uid = $1",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await idp.wiring.db.execute(sql, made.uid)
