"""Webhooks, and what a citizen allowed a relying party at sign-in."""

import datetime as dt
import time
from typing import Any

from kit.jobs.worker import JobWorker
from locker.webhooks.disable import disable, enable
from locker.webhooks.forget import forget
from locker.webhooks.schema import OF_ADMINISTRATIONS, Actor
from tests.interleaving import Act
from tests.locker_world import BIRTH, LOCKER
from tests.races.acts import act
from tests.races.scene import BANK, PURPOSE, Scene
from tests.unit.locker.webhooks.told import SCOPE

_OFFICER = Actor(kind="officer", name="test")
_OF_SHARES = ("share.ended", "share.document_suspended", "share.document_revoked", "share.document_superseded")


# --- webhooks: of the administration that issued the scene's document, and of the bank that opened it


async def _webhook(s: Scene) -> str:
    return await _registered(s, s.place.world.machine(scope=SCOPE), *OF_ADMINISTRATIONS)


async def _registered(s: Scene, by: dict[str, str], *events: str) -> str:
    # Of what happened in the scenes before, nobody is told.
    await s.change("UPDATE locker.outbox SET delivered_at = now() WHERE delivered_at IS NULL")
    url = s.stage.told.site.serve(f"/hook/{s.uid}", b"")
    answer = await s.http.post("/v1/webhooks", headers=by, json={"url": url, "events": list(events)})
    assert answer.status_code == 201, answer.text
    s.webhooks.add(answer.json()["webhook"]["webhook_id"])
    return str(answer.json()["webhook"]["webhook_id"])


async def _message(s: Scene) -> str:
    """Something happened, and the receiver is to be told."""
    await s.once("webhook", _webhook)
    await s.deposited()
    await s.stage.told.spread()
    return ""


def _asks(s: Scene, webhook_id: str, what: str, body: Any = None) -> Act:
    by = s.place.world.machine(scope=SCOPE)
    return lambda: s.http.post(f"/v1/webhooks/{webhook_id}/{what}", headers=by, json=body)


@act
async def spread(s: Scene) -> Act:
    await s.once("webhook", _webhook)
    await s.deposited()
    return s.stage.told.spread


@act
async def spread_to_client(s: Scene) -> Act:
    """The bank opened a share that is for it alone, and the document was suspended since."""
    by = {"Authorization": f"Bearer {s.place.provider.token(sub=BANK, client_id=BANK, scope=SCOPE)}"}
    await _registered(s, by, *_OF_SHARES)
    s.share_id, s.link = await s.shared(client_id=BANK, openings=3)
    token = s.place.provider.token(sub=BANK, client_id=BANK, scope="documents:request")
    opened = await s.open(s.link, headers={"Authorization": f"Bearer {token}"})
    assert opened.status_code == 200, opened.text
    body = {"reason": "under-review"}
    await s.http.post(f"/v1/documents/{s.document}/suspend", headers=s.place.world.machine(), json=body)
    return s.stage.told.spread


@act
async def deliver(s: Scene) -> Act:
    await s.once("message", _message)
    worker = JobWorker(s.wiring.db, s.stage.told.jobs, [s.stage.told.delivery(s.wiring.db).kind()])
    return worker.work_off


@act
async def webhook_disabled(s: Scene) -> Act:
    return _asks(s, await s.once("webhook", _webhook), "disable")


@act
async def webhook_enabled(s: Scene) -> Act:
    """It was disabled by its owner."""
    webhook_id = await s.once("webhook", _webhook)
    await _asks(s, webhook_id, "disable")()
    return _asks(s, webhook_id, "enable")


@act
async def webhook_disabled_by_officer(s: Scene) -> Act:
    webhook_id = await s.once("webhook", _webhook)
    s.disabled_by_officer.add(webhook_id)
    return lambda: disable(s.wiring.db, s.wiring.audit, webhook_id, owner=None, actor=_OFFICER)


@act
async def webhook_enabled_by_officer(s: Scene) -> Act:
    webhook_id = await s.once("webhook", _webhook)
    s.enabled_by_officer = True
    await disable(s.wiring.db, s.wiring.audit, webhook_id, owner=None, actor=_OFFICER)
    return lambda: enable(s.wiring.db, s.wiring.audit, webhook_id, owner=None, actor=_OFFICER)


@act
async def webhook_removed(s: Scene) -> Act:
    webhook_id, by = await s.once("webhook", _webhook), s.place.world.machine(scope=SCOPE)
    return lambda: s.http.delete(f"/v1/webhooks/{webhook_id}", headers=by)


@act
async def webhook_rotated(s: Scene) -> Act:
    return _asks(s, await s.once("webhook", _webhook), "rotate")


@act
async def webhook_replayed(s: Scene) -> Act:
    """Of what was delivered."""
    await s.once("message", _message)
    await s.change("UPDATE locker.webhook_message SET state = 'held' WHERE webhook_id = ANY($1)", list(s.webhooks))
    await s.change("DELETE FROM locker.job WHERE lane = ANY($1)", list(s.webhooks))
    return _asks(s, await s.once("webhook", _webhook), "replay", {})


@act
async def webhook_tested(s: Scene) -> Act:
    return _asks(s, await s.once("webhook", _webhook), "test")


@act
async def messages_forgotten(s: Scene) -> Act:
    """All are past their time."""
    await s.once("message", _message)
    return lambda: forget(s.wiring.db, lifetime_s=0)


# --- authorized at sign-in


def _grant(s: Scene) -> str:
    """The connection; the provider can say whether it stands."""
    if not s.grant:
        s.grant = s.place.provider.token(sub=s.owner, client_id=BANK, scope="")
    return s.grant


def _detail(*, once: bool) -> dict[str, Any]:
    until = (dt.datetime.now(dt.UTC).date() + dt.timedelta(days=30)).isoformat()
    return {
        "type": "locker_document",
        "document_types": [BIRTH],
        "purpose": PURPOSE,
        **({"once": True} if once else {"until": until}),
    }


def _connected(s: Scene, detail: dict[str, Any]) -> dict[str, str]:
    """What the bank shows: a token of this citizen's connection."""
    made = s.place.provider.token(
        sub=s.owner,
        client_id=BANK,
        scope="documents:request",
        acr="substantial",
        auth_time=int(time.time()),
        grant_id=_grant(s),
        authorization_id=s.reference,
        authorization_details=[detail],
    )
    return {"Authorization": f"Bearer {made}"}


def _takes(s: Scene, *, once: bool) -> Act:
    detail = _detail(once=once)
    headers = _connected(s, detail)
    return lambda: s.http.post("/v1/requests/authorized", headers=headers, json=detail)


async def _taken(s: Scene) -> str:
    answer = await _takes(s, once=True)()
    assert answer.status_code == 201, answer.text
    s.link = answer.json()["share"].removeprefix(LOCKER)
    s.share_id = await s.one("SELECT share_id FROM locker.authorized_share WHERE owner = $1", s.owner)
    return s.link


@act
async def authorized_taken(s: Scene) -> Act:
    return _takes(s, once=False)


@act
async def authorized_taken_once(s: Scene) -> Act:
    return _takes(s, once=True)


@act
async def open_authorized(s: Scene) -> Act:
    await s.once("authorized", _taken)
    headers = _connected(s, _detail(once=True))
    return lambda: s.open(s.link, headers=headers)


@act
async def end_connection(s: Scene) -> Act:
    """At the provider."""

    async def run() -> None:
        s.place.provider.revoked.add(_grant(s))

    return run
