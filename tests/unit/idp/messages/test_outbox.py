import asyncio
import json
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from prometheus_client import REGISTRY

from idp.messages import store
from idp.messages.deliver import MessageDelivery
from idp.messages.forget_late import forget_late
from idp.messages.notices import code_notice, password_changed, service_asks
from idp.messages.post import Post
from idp.messages.schema import Notice, Outgoing, Sender
from khizana.embedded.postgres import PORT, EmbeddedPostgres
from kit.db import Database
from kit.errors import Unavailable
from kit.i18n import Locale
from tests.fault_proxy import before_socket
from tests.provider import Provider

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Collected:
    """Foreign code: a gateway that fails as often as it is told."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.sent: list[Outgoing] = []

    async def send(self, message: Outgoing) -> None:
        if self.failures:
            self.failures -= 1
            raise OSError("the gateway is away")
        self.sent.append(message)


CODE = code_notice("123456", purpose="sign-in", lifetime_s=600)


async def posted(idp: Provider, count: int = 1) -> None:
    citizen_id = await idp.citizen()
    await idp.owner("DELETE FROM idp.outbox")
    for _ in range(count):
        await post(idp, citizen_id, password_changed())


async def post(idp: Provider, citizen_id: UUID, notice: Notice) -> None:
    await Post(idp.wiring.secrets, idp.wiring.pages).post(
        idp.wiring.db,
        citizen_id=citizen_id,
        channel="email",
        address="amina@example.org",
        notice=notice,
        locale=Locale.EN,
    )


async def a_backlog(idp: Provider, count: int) -> UUID:
    """Notices in an outbox that holds nothing else, as many as a results day leaves; to whom."""
    citizen_id = await idp.citizen()
    await idp.owner("DELETE FROM idp.outbox")
    await post(idp, citizen_id, password_changed())
    await idp.owner(
        """
        INSERT INTO idp.outbox (message_id, citizen_id, kind, channel, sealed, created_at, next_try_at, expires_at)
        SELECT gen_random_uuid(), citizen_id, kind, channel, sealed, created_at - interval '1 hour',
               next_try_at - interval '1 hour', expires_at
          FROM idp.outbox, generate_series(2, $1)""",
        count,
    )
    await idp.owner("ANALYZE idp.outbox")
    return citizen_id


def delivery(idp: Provider, sender: Sender, **changed: Any) -> MessageDelivery:
    settings: dict[str, Any] = {"channel": "email", "at_once_max": 4, **changed}
    return MessageDelivery(idp.wiring.db, idp.wiring.secrets, sender, **settings)


async def delivered(idp: Provider, sender: Sender) -> int:
    return await delivery(idp, sender).deliver()


async def test_a_message_leaves_once_although_two_deliver(idp: Provider) -> None:
    await posted(idp, 20)
    sender = Collected()
    await asyncio.gather(delivered(idp, sender), delivered(idp, sender))
    assert len({message.message_id for message in sender.sent}) == len(sender.sent) == 20
    assert sender.sent[0].letter.address == "amina@example.org"
    assert sender.sent[0].letter.subject == "Your password was changed"


async def test_what_a_sender_refuses_is_tried_again_later(idp: Provider) -> None:
    await posted(idp)
    sender = Collected(failures=1)
    assert await delivered(idp, sender) == 0
    assert await delivered(idp, sender) == 0
    await idp.owner("UPDATE idp.outbox SET next_try_at = now()")
    assert await delivered(idp, sender) == 1


async def test_what_somebody_waits_for_is_tried_again_sooner_than_its_lease_ends_each_time_later(idp: Provider) -> None:
    await posted(idp)
    await post(idp, await idp.citizen(), CODE)
    sender = Collected(failures=4)
    waits = "SELECT extract(epoch FROM next_try_at - now())::float8 AS s FROM idp.outbox ORDER BY next_try_at"
    worker = delivery(idp, sender, lease_s=100_000.0, awaited_again_s=1_000.0)
    assert await worker.deliver() == 0
    code, notice = [row["s"] for row in await idp.owner(waits)]
    assert 900 < code <= 1_000 < 90_000 < notice
    await idp.owner("UPDATE idp.outbox SET next_try_at = now() WHERE kind LIKE 'code.%'")
    assert await worker.deliver() == 0
    code, _ = [row["s"] for row in await idp.owner(waits)]
    assert 1_900 < code <= 2_000
    await idp.owner("UPDATE idp.outbox SET next_try_at = now() WHERE kind LIKE 'code.%'")
    assert await delivery(idp, sender, awaited_again_s=0.0).deliver() == 1
    assert sender.failures == 0


async def test_a_code_that_cannot_be_put_forward_comes_when_its_lease_is_over(idp: Provider) -> None:
    """Somebody else has it meanwhile: its turn is not touched."""
    await posted(idp)
    await post(idp, await idp.citizen(), CODE)
    await idp.owner("DELETE FROM idp.outbox WHERE kind NOT LIKE 'code.%'")
    [row] = await store.claim(idp.wiring.db, channel="email", count_max=1, lease_s=30)
    await idp.owner("UPDATE idp.outbox SET tries = tries + 1")
    await store.try_sooner(idp.wiring.db, row["message_id"], tries=row["tries"], wait_s=1)
    [left] = await idp.owner("SELECT next_try_at > now() + interval '20 seconds' AS leased FROM idp.outbox")
    assert left["leased"]


class Slow:
    """Foreign code: a gateway that takes its time, and keeps count of who asks it at once."""

    def __init__(self, takes_s: float) -> None:
        self.takes_s = takes_s
        self.sent: list[UUID] = []
        self.took_one = asyncio.Event()
        self.at_once = self.at_once_most = 0

    async def send(self, message: Outgoing) -> None:
        self.at_once += 1
        self.at_once_most = max(self.at_once_most, self.at_once)
        try:
            await asyncio.sleep(self.takes_s)
            self.sent.append(message.message_id)
            self.took_one.set()
        finally:
            self.at_once -= 1


async def test_two_workers_send_each_message_once_and_no_more_at_once_than_they_have_places(idp: Provider) -> None:
    await posted(idp, 40)
    slow = Slow(0.05)
    workers = [delivery(idp, slow, at_once_max=2) for _ in range(2)]
    assert sum(await asyncio.gather(*(worker.deliver() for worker in workers))) == 40
    assert len(set(slow.sent)) == len(slow.sent) == 40
    assert slow.at_once_most == 4


async def test_no_more_is_claimed_than_is_begun(idp: Provider) -> None:
    await posted(idp, 10)
    worker = delivery(idp, Slow(0.5), at_once_max=3)
    assert await worker.start_due() == 3
    assert await worker.start_due() == 0
    claimed = await idp.owner("SELECT tries FROM idp.outbox WHERE next_try_at > now()")
    assert len(claimed) == 3
    assert await worker.deliver() == 10


async def test_a_send_that_takes_too_long_is_given_up_before_somebody_else_has_it(idp: Provider) -> None:
    await posted(idp, 1)
    slow = Slow(30)
    assert await delivery(idp, slow, send_max_s=0.2, lease_s=60).deliver() == 0
    assert slow.at_once == 0
    slow.takes_s = 0
    assert await delivery(idp, slow).deliver() == 0
    await idp.owner("UPDATE idp.outbox SET next_try_at = now()")
    assert await delivery(idp, slow).deliver() == 1


async def test_one_that_cannot_be_opened_holds_no_other_up(idp: Provider) -> None:
    await posted(idp, 5)
    await idp.owner(
        "UPDATE idp.outbox SET sealed = 'x', next_try_at = '2020-01-01' WHERE message_id IN"
        " (SELECT message_id FROM idp.outbox LIMIT 1)"
    )
    sender = Collected()
    assert await delivery(idp, sender, at_once_max=1).deliver() == 4
    assert len(sender.sent) == 4


async def test_a_server_that_is_down_is_asked_by_each_round_alone_and_one_that_takes_at_once(idp: Provider) -> None:
    await posted(idp, 10)
    sender = Collected(failures=2)
    worker = delivery(idp, sender, at_once_max=2)
    await worker.start_due()
    async with asyncio.timeout(60):
        while sender.failures:
            await asyncio.sleep(0.01)
    assert await worker.start_due() == 2
    async with asyncio.timeout(60):
        while len(sender.sent) < 8:
            await asyncio.sleep(0.01)
    tried = await idp.owner("SELECT tries FROM idp.outbox")
    assert [row["tries"] for row in tried] == [1] * 10


async def test_what_was_sent_is_noted_when_the_database_is_back_and_nothing_is_begun_before(
    idp: Provider, postgres: EmbeddedPostgres
) -> None:
    await posted(idp, 3)
    proxy = before_socket(f"{postgres.address.socket_folder}/.s.PGSQL.{PORT}")
    named = urlsplit(idp.wiring.settings.database_url)
    db = await Database.connect(
        f"postgresql://{named.username}:{named.password}@127.0.0.1:{proxy.port}{named.path}?sslmode=disable"
    )
    slow = Slow(0.1)
    worker = MessageDelivery(db, idp.wiring.secrets, slow, channel="email", at_once_max=1)
    assert await worker.start_due() == 1
    with proxy.faulty("refused"):
        await slow.took_one.wait()
        for _ in range(2):
            with pytest.raises(Unavailable):
                await worker.start_due()
    assert await worker.deliver() == 2
    assert len(set(slow.sent)) == len(slow.sent) == 3
    await db.close()
    proxy.close()


async def test_what_is_under_way_at_the_end_is_finished_and_the_rest_given_back(idp: Provider) -> None:
    await posted(idp, 2)
    slow = Slow(0.2)
    worker = delivery(idp, slow, at_once_max=1)
    await worker.start_due()
    await worker.close()
    assert len(slow.sent) == 1
    slow.takes_s = 30
    worker = delivery(idp, slow, at_once_max=1)
    await worker.start_due()
    await worker.close(finish_s=0)
    assert (len(slow.sent), slow.at_once) == (1, 0)
    waiting = await idp.owner("SELECT tries FROM idp.outbox WHERE sent_at IS NULL AND next_try_at <= now()")
    assert [row["tries"] for row in waiting] == [0]
    assert await delivered(idp, Collected()) == 1


async def test_what_lost_its_meaning_is_not_sent(idp: Provider) -> None:
    await posted(idp)
    await idp.owner("UPDATE idp.outbox SET expires_at = now()")
    assert await delivered(idp, Collected()) == 0


async def test_what_lost_its_meaning_makes_room_but_not_while_somebody_has_it(idp: Provider) -> None:
    await posted(idp, 4)
    slow = Slow(0.3)
    worker = delivery(idp, slow, at_once_max=1)
    assert await worker.start_due() == 1
    await idp.owner("UPDATE idp.outbox SET expires_at = now()")
    before = counted("late"), counted("sent")
    await forget_late(idp.wiring.db)
    assert await worker.deliver() == 1
    assert [row["sent_at"] is not None for row in await idp.owner("SELECT sent_at FROM idp.outbox")] == [True]
    assert (counted("late"), counted("sent")) == (before[0] + 3, before[1] + 1)


async def test_what_was_not_sent_is_counted_and_how_long_a_message_took(idp: Provider) -> None:
    citizen_id = await idp.citizen()
    await idp.owner("DELETE FROM idp.outbox")
    await post(idp, citizen_id, CODE)
    await idp.owner("UPDATE idp.outbox SET created_at = created_at - interval '20 seconds'")
    again, took = counted("again"), took_s(awaited="yes")
    assert await delivered(idp, Collected(failures=1)) == 0
    assert (counted("again"), took_s(awaited="yes")) == (again + 1, took)
    await idp.owner("UPDATE idp.outbox SET next_try_at = now()")
    assert await delivered(idp, Collected()) == 1
    assert 20 <= took_s(awaited="yes") - took < 60


def counted(outcome: str) -> float:
    return REGISTRY.get_sample_value("khizana_messages_total", {"channel": "email", "outcome": outcome}) or 0.0


def took_s(*, awaited: str) -> float:
    labels = {"channel": "email", "awaited": awaited}
    return REGISTRY.get_sample_value("khizana_message_seconds_sum", labels) or 0.0


async def test_what_somebody_waits_for_overtakes_a_thousand_notices(idp: Provider) -> None:
    citizen_id = await a_backlog(idp, 1_000)
    await post(idp, citizen_id, CODE)
    await post(idp, citizen_id, service_asks(lifetime_s=300))
    claimed = await store.claim(idp.wiring.db, channel="email", count_max=3, lease_s=30)
    assert sorted(row["kind"] for row in claimed) == ["code.sign-in", "password.changed", "service.asks"]


@pytest.mark.parametrize("way", ["force_custom_plan", "force_generic_plan"])
async def test_a_claim_reads_what_it_takes_however_much_waits(idp: Provider, way: str) -> None:
    """Codes that are tried again later, and a backlog of notices: neither is read through for the next one."""
    citizen_id = await a_backlog(idp, 20_000)
    await post(idp, citizen_id, CODE)
    await idp.owner(
        """
        INSERT INTO idp.outbox (message_id, citizen_id, kind, channel, sealed, next_try_at, expires_at)
        SELECT gen_random_uuid(), citizen_id, kind, channel, sealed, now() + interval '5 minutes', expires_at
          FROM idp.outbox, generate_series(1, 20000) WHERE kind = 'code.sign-in'"""
    )
    await idp.owner("ANALYZE idp.outbox")
    owner = await Database.connect(idp.owner_dsn)
    async with owner.transaction() as tx:
        await tx.execute(f"SET LOCAL plan_cache_mode = {way}")
        await tx.execute(f"PREPARE claim (text, bigint, float8) AS {store._CLAIM}")
        found = await tx.fetchval("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE claim ('email', 8, 30)")
    await owner.close()
    plan = json.loads(found)[0]["Plan"]
    scans = [node for node in nodes(plan) if node.get("Index Name") == "outbox_in_turn"]
    assert len(scans) == 2
    assert all("next_try_at" in node["Index Cond"] for node in scans)
    assert sum(node["Actual Rows"] for node in scans) == 8
    assert not any(node.get("Rows Removed by Filter") for node in nodes(plan))


async def test_what_is_past_its_use_is_found_without_reading_what_waits(idp: Provider) -> None:
    await a_backlog(idp, 20_000)
    owner = await Database.connect(idp.owner_dsn)
    found = await owner.fetchval(
        "EXPLAIN (ANALYZE, FORMAT JSON) SELECT ctid FROM idp.outbox WHERE sent_at IS NULL AND expires_at <= now()"
        " AND next_try_at <= now() AND channel = $1 LIMIT 1000",
        "email",
    )
    await owner.close()
    names = {node.get("Index Name") for node in nodes(json.loads(found)[0]["Plan"])}
    assert "outbox_past_use" in names


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for below in plan.get("Plans", []) for node in nodes(below))]


async def test_the_page_shows_messages_where_a_setting_says_so(idp: Provider) -> None:
    await posted(idp)
    page = await idp.http.get("/idp/outbox")
    assert page.status_code == 200
    assert "amina@example.org" in page.text
