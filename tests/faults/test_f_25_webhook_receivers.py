"""F-25: receivers of webhooks that fail, are slow, are gone, or point inwards."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
import pytest_asyncio

from khizana.embedded.postgres import PORT, EmbeddedPostgres
from kit.db import Database
from kit.errors import Unavailable
from kit.jobs.schema import Job, Outcome
from kit.jobs.worker import JobWorker
from locker.webhooks.deliver import WAITS_S
from tests.fault_proxy import before_socket
from tests.sites import listening
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


async def test_f_25_the_schedule_is_kept_and_the_message_fails_after_three_days(told: Told) -> None:
    by = told.administration()
    made = await told.register(by, told.site.refuse("/hook", 500), "document.deposited")
    await told.deposited()
    waits: list[float] = []
    for _ in range(10):
        await told.deliver()
        wait = await told.world.owner_db.fetchval("SELECT extract(epoch FROM due_at - now())::float FROM locker.job")
        waits.append(wait or 0)
        await told.hurry()
    stated = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
    assert all(stated[n] - 5 <= waits[n] <= stated[n] * 1.1 + 1 for n in range(9)), waits
    assert waits[9] == 0
    requests = told.received()
    assert len(requests) == 10
    assert len({request.headers["webhook-id"] for request in requests}) == 1
    (message,) = await told.messages(by, made["webhook"]["webhook_id"])
    assert (message["state"], message["attempts"], message["last_outcome"]) == ("failed", 10, "http-500")


async def test_f_25_our_own_absence_is_no_attempt_and_the_receivers_no_is_one(
    told: Told, postgres: EmbeddedPostgres
) -> None:
    """On the last attempt: the database goes before the receiver was asked, then behind its refusal."""
    world, by = told.world, told.administration()
    made = await told.register(by, told.site.refuse("/hook", 500), "document.deposited")
    await told.deposited()
    await told.spread()
    await world.owner_db.execute("UPDATE locker.job SET attempts = $1", len(WAITS_S))
    dsn, proxy = (
        urlsplit(world.wiring.settings.database_url),
        before_socket(f"{postgres.address.socket_folder}/.s.PGSQL.{PORT}"),
    )
    db = await Database.connect(
        f"postgresql://{dsn.username}:{dsn.password}@127.0.0.1:{proxy.port}{dsn.path}?sslmode=disable"
    )
    delivery = told.delivery(db)
    before = asyncio.Event()

    async def cut(job: Job) -> Outcome:
        if not before.is_set():
            before.set()
            proxy.turn("refused")
            return await delivery.deliver(job)
        outcome = await delivery.deliver(job)
        proxy.turn("refused")
        return outcome

    worker = JobWorker(db, told.jobs, [msgspec.structs.replace(delivery.kind(), handler=cut)])

    async def state() -> tuple[str, int, int]:
        await told.hurry()
        (message,) = await told.messages(by, made["webhook"]["webhook_id"])
        return message["state"], message["attempts"], len(told.received())

    try:
        with pytest.raises(Unavailable):
            await worker.work_off()
        assert await state() == ("waiting", 0, 0)
        proxy.turn("none")
        await worker.start_due()
        await told.hurry()
        with pytest.raises(Unavailable):
            await worker.work_off()
        assert await state() == ("waiting", 0, 1)
        proxy.turn("none")
        await worker.work_off()
        assert await state() == ("failed", 1, 0)
    finally:
        await db.close()
        proxy.close()


async def test_f_25_who_asks_to_come_later_is_asked_later(told: Told) -> None:
    url = told.site.refuse("/hook", 429, **{"Retry-After": "900"})
    await told.register(told.administration(), url, "document.deposited")
    await told.deposited()
    await told.deliver()
    wait = await told.world.owner_db.fetchval("SELECT extract(epoch FROM due_at - now())::float FROM locker.job")
    assert 870 < wait <= 900


async def test_f_25_gone_disables_at_once_and_nothing_more_is_sent(told: Told) -> None:
    by = told.administration()
    made = await told.register(by, told.site.refuse("/hook", 410), "document.deposited")
    await told.deposited()
    await told.deliver()
    assert len(told.received()) == 1
    await told.deposited()
    await told.deliver()
    await told.hurry()
    await told.deliver()
    assert told.received() == []
    found = await told.get(by, f"/{made['webhook']['webhook_id']}")
    assert (found["state"], found["disabled_reason"]) == ("disabled", "gone")


async def test_f_25_a_redirect_inwards_is_never_followed(told: Told) -> None:
    async with listening() as ear:
        inside = f"http://127.0.0.1:{ear.port}/"
        made = await told.register(
            told.administration(), told.site.refuse("/hook", 301, Location=inside), "document.deposited"
        )
        await told.deposited()
        await told.deliver()
        assert (len(told.received()), ear.connections) == (1, 0)
    (message,) = await told.messages(told.administration(), made["webhook"]["webhook_id"])
    assert (message["state"], message["last_outcome"]) == ("waiting", "http-301")


async def test_f_25_who_takes_nothing_for_five_days_is_disabled(told: Told) -> None:
    by = told.administration()
    made = await told.register(by, told.site.refuse("/hook", 503), "document.deposited")
    webhook_id = made["webhook"]["webhook_id"]
    await told.deposited()
    await told.deliver()
    assert (await told.get(by, f"/{webhook_id}"))["failing_since"] is not None
    await told.world.owner_db.execute("UPDATE locker.webhook SET failing_since = now() - interval '121 hours'")
    await told.hurry()
    await told.deliver()
    found = await told.get(by, f"/{webhook_id}")
    assert (found["state"], found["disabled_reason"]) == ("disabled", "failing")
    told.site.serve("/hook", b"")
    await told.post(by, f"/{webhook_id}/enable")
    await told.post(by, f"/{webhook_id}/replay", {"states": ["waiting", "held", "failed"]})
    await told.hurry()
    await told.deliver()
    assert (await told.get(by, f"/{webhook_id}"))["failing_since"] is None


async def test_f_25_weeks_in_which_nothing_was_sent_are_no_failure(told: Told) -> None:
    by = told.administration()
    made = await told.register(by, told.site.refuse("/hook", 503), "document.deposited")
    await told.deposited()
    await told.deliver()
    await told.world.owner_db.execute(
        "UPDATE locker.webhook SET failing_since = now() - interval '60 days', failed_at = now() - interval '57 days'"
    )
    await told.hurry()
    await told.deliver()
    found = await told.get(by, f"/{made['webhook']['webhook_id']}")
    assert (found["state"], found["disabled_reason"]) == ("active", None)
    await told.world.owner_db.execute("UPDATE locker.webhook SET failing_since = now() - interval '121 hours'")
    await told.hurry()
    await told.deliver()
    assert (await told.get(by, f"/{made['webhook']['webhook_id']}"))["disabled_reason"] == "failing"
