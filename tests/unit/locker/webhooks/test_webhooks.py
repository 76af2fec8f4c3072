import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from locker.shares.create import Sharer
from locker.shares.revoke import revoke
from locker.webhooks import deliver
from locker.webhooks.disable import disable
from locker.webhooks.forget import forget
from locker.webhooks.rotate import KEYS_MAX
from locker.webhooks.schema import Actor
from tests.locker_world import AMINA, INTERIOR, JUSTICE
from tests.sites import Request
from tests.unit.locker.webhooks.told import Told, open_told, verified
from tests.windows import in_one_window

pytestmark = pytest.mark.asyncio(loop_scope="module")
EVERY = ("document.deposited", "document.superseded", "document.suspended", "document.resumed", "document.revoked")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened(dsns: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Told]:
    async with open_told(dsns, s3, tmp_path_factory.mktemp("webhooks")) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def told(opened: Told) -> AsyncIterator[Told]:
    yield opened
    await opened.clean()


async def test_an_administration_hears_of_its_own_documents(told: Told) -> None:
    url = told.site.serve("/hook", b"")
    made = await told.register(told.administration(), url, *EVERY, schemes=["v1", "v1a"])
    first = await told.deposited()
    await told.change(first, "suspend", reason="under-review")
    await told.change(first, "resume")
    second = await told.deposited(replaces=first)
    await told.change(second, "revoke", reason="issued-in-error")
    await told.deliver()
    secret, public = (key["verify_with"] for key in made["keys"])
    requests = told.received()
    heard = set()
    for request in requests:
        payload = verified(request, secret)
        headers = {name.lower(): value for name, value in request.headers.items()}
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + request.body
        (ed25519,) = [one for one in headers["webhook-signature"].split() if one.startswith("v1a,")]
        Ed25519PublicKey.from_public_bytes(base64.b64decode(public.removeprefix("whpk_"))).verify(
            base64.b64decode(ed25519.removeprefix("v1a,")), signed
        )
        assert payload.keys() == {"type", "timestamp", "data"}
        assert payload["data"].keys() == {"document_id", "document_type"}
        assert payload["timestamp"].endswith("Z")
        assert headers["content-type"] == "application/json"
        # Thin: nothing of the citizen, neither name nor any identifier.
        assert told.world.subs[AMINA].encode() not in request.body
        heard.add((payload["type"], payload["data"]["document_id"]))
    assert heard == {
        ("document.deposited", first),
        ("document.suspended", first),
        ("document.resumed", first),
        ("document.superseded", first),
        ("document.deposited", second),
        ("document.revoked", second),
    }
    assert len(requests) == 6
    messages = await told.messages(told.administration(), made["webhook"]["webhook_id"])
    assert {message["state"] for message in messages} == {"delivered"}


async def test_only_what_was_asked_for_and_only_its_own(told: Told) -> None:
    url = told.site.serve("/hook", b"")
    await told.register(told.administration(JUSTICE), url, *EVERY)
    await told.register(told.administration(), told.site.serve("/other", b""), "document.revoked")
    document_id = await told.deposited()
    await told.deliver()
    assert told.received() == []
    await told.change(document_id, "revoke", reason="issued-in-error")
    await told.deliver()
    assert [request.path for request in told.received()] == ["/other"]


async def test_a_relying_party_hears_of_what_it_opened_and_of_nothing_else(told: Told) -> None:
    bank = told.relying_party("bank")
    made = await told.register(
        bank, told.site.serve("/bank", b""), "share.document_revoked", "share.document_suspended", "share.ended"
    )
    await told.register(told.relying_party("other"), told.site.serve("/other", b""), "share.document_revoked")
    opened, unopened, anybodys, ended = [await told.deposited() for _ in range(4)]
    await told.share(opened, "bank")
    await told.share(unopened, "bank", opening=False)
    await told.share(anybodys, None)
    share_id, opening_id = await told.share(ended, "bank")
    sharer = Sharer(owner=told.world.subs[AMINA], actor="x")
    await revoke(told.world.wiring.db, told.world.wiring.audit, sharer=sharer, share_id=share_id)
    for document_id in (opened, unopened, anybodys, ended):
        await told.change(document_id, "revoke", reason="issued-in-error")
    await told.deliver()
    requests = told.received()
    heard = [verified(request, made["keys"][0]["verify_with"]) for request in requests]
    assert sorted((one["type"], tuple(one["data"].items())) for one in heard) == [
        ("share.document_revoked", (("document_id", opened),)),
        ("share.ended", (("opening_ids", [opening_id]),)),
    ]
    assert {request.path for request in requests} == {"/bank"}
    # The citizen sees whom it was told, and of what.
    lines = await told.world.rows(
        "SELECT action, actor, object_id, owner FROM locker.audit WHERE action LIKE '%.announced' ORDER BY action"
    )
    assert [tuple(line.values()) for line in lines] == [
        ("document.announced", "bank", opened, told.world.subs[AMINA]),
        ("share.announced", "bank", share_id, told.world.subs[AMINA]),
    ]
    for request in requests:
        for secret in (told.world.subs[AMINA], share_id, INTERIOR):
            assert secret.encode() not in request.body


async def test_two_keys_sign_while_one_takes_the_others_place(told: Told) -> None:
    by = told.administration()
    made = await told.register(by, told.site.serve("/hook", b""), "document.revoked")
    webhook_id = made["webhook"]["webhook_id"]
    rotated = (await told.post(by, f"/{webhook_id}/rotate")).json()
    old, new = made["keys"][0]["verify_with"], rotated["keys"][0]["verify_with"]
    assert (await told.post(by, f"/{webhook_id}/test")).status_code == 202
    await told.deliver()
    (request,) = told.received()
    assert verified(request, old, new)["type"] == "webhook.test"
    assert request.headers["webhook-signature"].count("v1,") == 2
    # After a key was lost: from now on it signs nothing.
    lost = (await told.post(by, f"/{webhook_id}/rotate?overlap_s=0")).json()["keys"][0]["verify_with"]
    await told.post(by, f"/{webhook_id}/test")
    await told.deliver()
    (request,) = told.received()
    verified(request, lost)
    # Nor does the one before it, which would have signed for a day more.
    for ended in (old, new):
        with pytest.raises(WebhookVerificationError):
            Webhook(ended).verify(request.body, request.headers)


async def test_keys_that_still_sign_beside_one_another_have_a_maximum(told: Told) -> None:
    by = told.administration()
    webhook_id = (await told.register(by, told.site.serve("/hook", b""), "document.revoked"))["webhook"]["webhook_id"]
    answers = [await told.post(by, f"/{webhook_id}/rotate") for _ in range(KEYS_MAX)]
    assert [answer.status_code for answer in answers] == [200] * (KEYS_MAX - 1) + [409]
    assert answers[-1].json()["code"] == "too-many-webhook-keys"
    await told.post(by, f"/{webhook_id}/test")
    await told.deliver()
    (request,) = told.received()
    verified(request, answers[-2].json()["keys"][0]["verify_with"])
    assert request.headers["webhook-signature"].count("v1,") == KEYS_MAX
    # After a key was lost nobody waits.
    assert (await told.post(by, f"/{webhook_id}/rotate?overlap_s=0")).status_code == 200


async def test_of_rotations_at_once_each_makes_a_key_and_the_last_one_signs(told: Told) -> None:
    by = told.administration()
    made = await told.register(by, told.site.serve("/hook", b""), "document.revoked")
    webhook_id = made["webhook"]["webhook_id"]
    answers = await asyncio.gather(*(told.post(by, f"/{webhook_id}/rotate?overlap_s=0") for _ in range(4)))
    assert [len(answer.json()["keys"]) for answer in answers] == [1, 1, 1, 1]
    await told.post(by, f"/{webhook_id}/test")
    await told.deliver()
    (request,) = told.received()
    assert request.headers["webhook-signature"].count("v1,") == 1
    assert made["keys"][0]["verify_with"] not in [answer.json()["keys"][0]["verify_with"] for answer in answers]


async def test_keys_are_said_once_and_stand_nowhere_in_clear(told: Told) -> None:
    by = told.administration()
    made = await told.register(by, told.site.serve("/hook", b""), "document.revoked")
    secret = made["keys"][0]["verify_with"]
    assert secret not in str(await told.get(by))
    raw = base64.b64decode(secret.removeprefix("whsec_"))
    rows = await told.world.rows("SELECT sealed FROM locker.webhook_key")
    assert rows
    assert all(raw not in row["sealed"] for row in rows)
    events = await told.world.rows("SELECT detail::text, object_id FROM locker.audit WHERE action LIKE 'webhook.%'")
    assert secret not in str(events)


async def test_a_replay_sends_the_same_message_again(told: Told) -> None:
    by = told.administration()
    made = await told.register(by, told.site.serve("/hook", b""), "document.deposited")
    webhook_id = made["webhook"]["webhook_id"]
    await told.deposited()
    await told.deliver()
    (first,) = told.received()
    message_id = first.headers["webhook-id"]
    assert (await told.post(by, f"/{webhook_id}/replay", {})).json() == {"messages": 0}
    answer = await told.post(by, f"/{webhook_id}/replay", {"message_id": message_id})
    assert answer.json() == {"messages": 1}
    await told.deliver()
    (second,) = told.received()
    assert (second.headers["webhook-id"], second.body) == (message_id, first.body)
    for far in (
        {"since": "2026-11-28T00:00:00"},
        {"since": "0001-01-01T00:00:00+14:00"},
        {"until": "9999-12-31T23:59:59-14:00"},
    ):
        assert (await told.post(by, f"/{webhook_id}/replay", far)).status_code == 422
    since = await told.post(by, f"/{webhook_id}/replay", {"since": "2020-01-01T00:00:00Z", "states": ["delivered"]})
    assert since.json() == {"messages": 1}
    unknown = await told.post(by, f"/{webhook_id}/replay", {"message_id": "msg_0"})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "webhook-message-unknown")


async def test_of_replays_at_once_one_sends(told: Told) -> None:
    by = told.administration()
    made = await told.register(by, told.site.serve("/hook", b""), "document.deposited")
    webhook_id = made["webhook"]["webhook_id"]
    await told.deposited()
    await told.deliver()
    message_id = told.received()[0].headers["webhook-id"]
    answers = await asyncio.gather(
        *(told.post(by, f"/{webhook_id}/replay", {"message_id": message_id}) for _ in range(6))
    )
    assert sorted(answer.json()["messages"] for answer in answers) == [0, 0, 0, 0, 0, 1]


async def test_what_is_held_while_disabled_comes_with_a_replay(told: Told) -> None:
    by = told.administration()
    made = await told.register(by, told.site.serve("/hook", b""), "document.deposited")
    webhook_id = made["webhook"]["webhook_id"]
    assert (await told.post(by, f"/{webhook_id}/disable")).json()["disabled_reason"] == "owner"
    document_id = await told.deposited()
    await told.deliver()
    assert told.received() == []
    assert (await told.post(by, f"/{webhook_id}/replay", {})).status_code == 409
    assert (await told.post(by, f"/{webhook_id}/enable")).json()["state"] == "active"
    assert (await told.post(by, f"/{webhook_id}/replay", {})).json() == {"messages": 1}
    await told.deliver()
    (request,) = told.received()
    assert document_id.encode() in request.body


async def test_another_owners_webhook_looks_like_none(told: Told) -> None:
    made = await told.register(told.administration(), told.site.serve("/hook", b""), "document.deposited")
    webhook_id = made["webhook"]["webhook_id"]
    for by in (told.administration(JUSTICE), told.relying_party("bank")):
        for verb in ("rotate", "replay", "test", "disable", "enable"):
            answer = await told.post(by, f"/{webhook_id}/{verb}", {})
            assert (answer.status_code, answer.json()["code"]) == (404, "webhook-unknown")
        answer = await told.world.locker.get(f"/v1/webhooks/{webhook_id}/messages", headers=by)
        assert (answer.status_code, answer.json()["code"]) == (404, "webhook-unknown")
        assert (await told.get(by))["webhooks"] == []
    without = told.world.machine(scope="documents:deposit")
    assert (await told.world.locker.get("/v1/webhooks", headers=without)).status_code == 403


@pytest.mark.parametrize(
    "url",
    [
        "https://10.0.0.7/hook",
        "https://169.254.169.254/latest/meta-data",
        "https://user@administration.example/hook",
        "https://[::ffff:127.0.0.1]/hook",
        "file:///etc/passwd",
    ],
)
async def test_an_address_that_leads_inwards_is_refused(told: Told, url: str) -> None:
    answer = await told.post(told.administration(), "", {"url": url, "events": ["document.deposited"]})
    assert (answer.status_code, answer.json()["code"]) == (422, "webhook-url-refused")


async def test_events_of_others_and_more_webhooks_than_ten_are_refused(told: Told) -> None:
    url = told.site.serve("/hook", b"")
    answer = await told.post(told.relying_party("bank"), "", {"url": url, "events": ["document.deposited"]})
    assert (answer.status_code, answer.json()["code"]) == (422, "webhook-event-unknown")
    answers = await asyncio.gather(
        *(told.post(told.relying_party("bank"), "", {"url": url, "events": ["share.ended"]}) for _ in range(12))
    )
    assert sorted(answer.status_code for answer in answers) == [201] * 10 + [409] * 2
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"too-many-webhooks"}


async def test_a_dead_receiver_keeps_nobody_waiting(told: Told) -> None:
    over = asyncio.Event()

    async def never(_: Request) -> web.StreamResponse:
        await over.wait()
        return web.Response()

    told.site.answers["/dead"] = never
    dead = await told.register(told.administration(), told.site.url("/dead"), "document.deposited")
    await told.register(told.administration(), told.site.serve("/quick", b""), "document.deposited")
    for _ in range(6):
        await told.deposited()
    loop = asyncio.get_running_loop()
    began = loop.time()
    delivering = asyncio.create_task(told.deliver())
    quick = 0
    while quick < 6:
        quick += (await told.site.next()).path == "/quick"
    assert loop.time() - began < 2
    await delivering
    over.set()
    states = {one["last_outcome"] for one in await told.messages(told.administration(), dead["webhook"]["webhook_id"])}
    assert states == {"no-answer"}


async def test_nobody_turns_us_on_a_receiver(told: Told) -> None:
    async def sent(again: int) -> list[int]:
        by = told.relying_party(f"flood-{again}")
        made = await told.register(by, told.site.serve("/victim", b""), "share.ended")
        address = f"/{made['webhook']['webhook_id']}/test"
        return [(await told.post(by, address)).status_code for _ in range(70)]

    # To register it was one call too.
    assert await in_one_window(60, sent) == [202] * 59 + [429] * 11


async def test_what_an_officer_disabled_its_owner_does_not_enable(told: Told) -> None:
    by = told.administration()
    made = await told.register(by, told.site.serve("/hook", b""), "document.deposited")
    webhook_id, wiring = made["webhook"]["webhook_id"], told.world.wiring
    await disable(wiring.db, wiring.audit, webhook_id, owner=None, actor=Actor(kind="officer", name="test"))
    answer = await told.post(by, f"/{webhook_id}/enable")
    assert (answer.status_code, answer.json()["code"]) == (403, "webhook-disabled-by-officer")


async def test_of_many_workers_one_tells_of_an_event(told: Told) -> None:
    by = told.administration()
    made = await told.register(by, told.site.serve("/hook", b""), "document.deposited")
    for _ in range(3):
        await told.deposited()
    await asyncio.gather(*(told.spread() for _ in range(6)))
    assert len(await told.messages(by, made["webhook"]["webhook_id"])) == 3
    await told.deliver()
    assert len(told.received()) == 3


async def test_an_event_that_nobody_could_take_down_is_taken_again(told: Told) -> None:
    """The events, their messages and their jobs are one transaction."""
    by = told.administration()
    made = await told.register(by, told.site.serve("/hook", b""), "document.deposited")
    await told.deposited()
    await told.world.owner_db.execute("ALTER TABLE locker.job ADD CONSTRAINT broken CHECK (kind <> 'webhook')")
    try:
        with pytest.raises(asyncpg.CheckViolationError):
            await told.spread()
    finally:
        await told.world.owner_db.execute("ALTER TABLE locker.job DROP CONSTRAINT broken")
    assert await told.messages(by, made["webhook"]["webhook_id"]) == []
    await told.deliver()
    assert len(told.received()) == 1


async def test_receivers_that_take_their_time_get_one_place_each(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliver, "SLOW_S", 0.05)
    going = most = 0

    async def slowly(_: Request) -> web.StreamResponse:
        nonlocal going, most
        going += 1
        most = max(most, going)
        await asyncio.sleep(0.1)
        going -= 1
        return web.Response()

    for number in range(3):
        told.site.answers[f"/slow{number}"] = slowly
        await told.register(told.administration(), told.site.url(f"/slow{number}"), "document.deposited")
    await told.deposited()
    await told.deliver()
    most = 0
    for _ in range(3):
        await told.deposited()
    await told.deliver()
    assert (most, len(told.received())) == (3, 12)


async def test_nothing_leaves_unsigned(told: Told) -> None:
    by = told.administration()
    made = await told.register(by, told.site.serve("/hook", b""), "document.deposited")
    await told.world.owner_db.execute("DELETE FROM locker.webhook_key")
    await told.deposited()
    await told.deliver()
    assert told.received() == []
    assert [one["state"] for one in await told.messages(by, made["webhook"]["webhook_id"])] == ["held"]


async def test_what_is_removed_signs_nothing_tells_nothing_and_makes_room(told: Told) -> None:
    by = told.relying_party("tidy")
    made = [await told.register(by, told.site.serve("/tidy", b""), "share.ended") for _ in range(10)]
    webhook_id = made[0]["webhook"]["webhook_id"]
    await told.post(by, f"/{webhook_id}/test")
    path = f"/v1/webhooks/{webhook_id}"
    assert (await told.world.locker.delete(path, headers=told.relying_party("bank"))).status_code == 404
    answers = [await told.world.locker.delete(path, headers=by) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [204, 404]
    await told.deliver()
    assert told.received() == []
    for verb in ("enable", "rotate", "replay", "test"):
        assert (await told.post(by, f"/{webhook_id}/{verb}", {})).status_code == 404
    assert await told.world.rows("SELECT 1 FROM locker.webhook_key WHERE webhook_id = $1", webhook_id) == []
    await told.register(by, told.site.url("/tidy"), "share.ended")
    assert len((await told.get(by))["webhooks"]) == 10
    await forget(told.world.wiring.db, lifetime_s=-60)
    assert await told.world.rows("SELECT 1 FROM locker.webhook WHERE webhook_id = $1", webhook_id) == []
