"""Was it valid on that day? Random lives of a document in the vault, and the day that somebody asks about."""

import asyncio
import datetime as dt
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from locker.verification.read_at import read_at
from locker.verification.refusals import AtInFuture
from locker.verification.standing_at import standing_at
from locker.verification.store import deposited_at
from tests.citizen_browser import CitizenWorld, open_citizen_world

NOW = dt.datetime.now(dt.UTC)
FIRST = NOW - dt.timedelta(days=100)
STATES = {"suspended": "document.suspended", "revoked": "document.revoked", "superseded": "document.superseded"}
FOLLOWS = {
    "valid": ("suspended", "revoked", "superseded"),
    "suspended": ("valid", "revoked", "superseded"),
    "superseded": ("revoked",),
    "revoked": (),
}


@st.composite
def lives(draw: st.DrawFn) -> list[tuple[float, str]]:
    """Day and state from then on, by the changes that there are."""
    at = draw(st.floats(0.5, 40))
    life = [(at, "valid")]
    while FOLLOWS[life[-1][1]] and draw(st.booleans()):
        at += draw(st.floats(0.01, 15))
        life.append((at, draw(st.sampled_from(FOLLOWS[life[-1][1]]))))
    return life


def day(number: float) -> dt.datetime:
    return FIRST + dt.timedelta(days=number)


def _oracle(life: list[tuple[float, str]], asked: float, valid_until: dt.date | None) -> str:
    state = "not-yet"
    for since, becomes in life:
        if day(since) <= day(asked):
            state = becomes
    return "expired" if state == "valid" and valid_until and valid_until < day(asked).date() else state


@given(life=lives(), asked=st.floats(0, 100), lasts=st.none() | st.integers(0, 100))
def test_the_standing_of_a_day_is_that_of_the_history(
    life: list[tuple[float, str]], asked: float, lasts: int | None
) -> None:
    valid_until = None if lasts is None else day(lasts).date()
    done = [state for since, state in life if day(since) <= day(asked)]
    last = None
    if done:
        last = "document.deposited" if len(done) == 1 else STATES.get(done[-1], "document.resumed")
    found = standing_at(day(asked), deposited_at=day(life[0][0]), last_act=last, valid_until=valid_until)
    assert found == _oracle(life, asked, valid_until)


@given(st.integers(1, 10**7))
def test_what_has_not_come_is_never_answered(minutes: int) -> None:
    later = NOW + dt.timedelta(minutes=minutes + 1)
    with pytest.raises(AtInFuture):
        read_at(later.isoformat(), now=NOW)
    earlier = NOW - dt.timedelta(minutes=minutes)
    assert read_at(earlier.isoformat(), now=NOW) == earlier


def test_a_day_is_its_last_second_and_today_is_now() -> None:
    assert read_at("2026-02-03", now=NOW) == dt.datetime(2026, 2, 3, 23, 59, 59, tzinfo=dt.UTC)
    assert read_at(NOW.date().isoformat(), now=NOW) == NOW
    assert read_at("", now=NOW) is None


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(dsns: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CitizenWorld]:
    async with open_citizen_world(
        dsns, s3, tmp_path_factory.mktemp("locker"), verifications_per_address_per_minute=500
    ) as opened:
        yield opened


@pytest.mark.asyncio(loop_scope="module")
async def test_the_database_answers_random_histories_as_they_were(place: CitizenWorld) -> None:
    """Lives are written into the record of acts, days are asked of the store; a thread draws them."""
    document_id = await place.document()
    db = place.world.owner_db
    [found] = await place.world.rows(
        "SELECT owner, sha256, deposited_at FROM locker.document WHERE document_id = $1", document_id
    )
    loop = asyncio.get_running_loop()

    async def lived(life: list[tuple[float, str]], asked: list[float], valid_until: dt.date | None) -> list[str]:
        await db.execute("DELETE FROM locker.audit WHERE object_id = $1 AND action LIKE 'document.%'", document_id)
        await db.execute(
            "UPDATE locker.document SET deposited_at = $2, valid_until = $3 WHERE document_id = $1",
            document_id,
            day(life[0][0]),
            valid_until,
        )
        for number, (since, state) in enumerate(life):
            action = "document.deposited" if number == 0 else STATES.get(state, "document.resumed")
            await db.execute(
                """INSERT INTO locker.audit (audit_id, at, action, actor_kind, actor, owner, object_id, result, detail)
                   VALUES (gen_random_uuid(), $1, $2, 'client', 'x', $3, $4, 'ok', '{}')""",
                day(since),
                action,
                found["owner"],
                document_id,
            )
        answers = []
        for number_ in asked:
            deposited = await deposited_at(db, sha256=found["sha256"], at=day(number_))
            assert deposited is not None
            answers.append(deposited.standing)
        return answers

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(
        life=lives(),
        asked=st.lists(st.floats(0, 100), min_size=1, max_size=8),
        lasts=st.none() | st.integers(0, 100),
    )
    def agree(life: list[tuple[float, str]], asked: list[float], lasts: int | None) -> None:
        valid_until = None if lasts is None else day(lasts).date()
        answers = asyncio.run_coroutine_threadsafe(lived(life, asked, valid_until), loop).result(30)
        assert answers == [_oracle(life, one, valid_until) for one in asked]

    await asyncio.to_thread(agree)


@pytest.mark.asyncio(loop_scope="module")
async def test_the_api_answers_for_the_moment_before_and_the_moment_after_a_revocation(place: CitizenWorld) -> None:
    pdf = place.world.sealed(text="then")
    document_id = await place.document(pdf=pdf)
    between = (await place.world.rows("SELECT now() AS at"))[0]["at"]
    done = await place.world.locker.post(
        f"/v1/documents/{document_id}/revoke", headers=place.world.machine(), json={"reason": "issued-in-error"}
    )
    assert done.status_code == 200, done.text
    after = (await place.world.rows("SELECT now() AS at"))[0]["at"]
    found = {}
    for name, at in (("before", between), ("after", after), ("long ago", between - dt.timedelta(days=9))):
        answer = await place.world.locker.post(
            "/v1/verifications",
            params={"at": at.isoformat()},
            content=pdf,
            headers={"Content-Type": "application/pdf"},
        )
        assert answer.status_code == 200, answer.text
        found[name] = answer.json()["answer"]
    assert [found[name]["standing"] for name in found] == ["valid", "revoked", "not-yet"]
    checks = {check["name"]: check["passed"] for check in found["long ago"]["checks"]}
    assert checks["existed"] is False
    assert found["before"]["signature"]["indication"] == "TOTAL-PASSED"
    assert json.loads(json.dumps(found["before"]))["at"] is not None
