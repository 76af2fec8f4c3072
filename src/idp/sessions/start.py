"""Every authentication ends with a cookie that did not exist before it, so that a planted one is worth nothing."""

from collections.abc import Sequence
from typing import Literal
from uuid import UUID

import msgspec

from idp.sessions import store
from idp.sessions.end import end
from idp.sessions.levels import Acr
from kit.audit import Audit, AuditEvent
from kit.db import Tx
from kit.ids import new_public_id
from kit.tokens import digest, new_token


class Started(msgspec.Struct, frozen=True):
    token: str
    """For the cookie; at rest there is its digest."""
    sid: str


async def start(
    tx: Tx,
    audit: Audit,
    *,
    citizen_id: UUID,
    acr: Acr,
    amr: Sequence[str],
    browser_label: str,
    lifetime_s: int,
    before_sha256: bytes | None = None,
    purpose: str | None = None,
    upstream: str | None = None,
) -> Started:
    """``before_sha256`` is the session that this browser had: renewed if it is this citizen's, ended if another's.

    ``purpose`` goes to the audit row: the ``client_id`` for which the citizen signed in. ``upstream`` is the other
    provider at which it happened.
    """
    token, sid, renewed = new_token(), None, before_sha256 is not None
    if before_sha256 is not None:
        sid = await store.renew(
            tx,
            before_sha256,
            new_sha256=digest(token),
            citizen_id=citizen_id,
            acr=acr,
            amr=list(amr),
            upstream=upstream,
            lifetime_s=lifetime_s,
        )
        if sid is None:
            await end(tx, audit, before_sha256, because="another-sign-in")
    if sid is None:
        sid, renewed = new_public_id(), False
        await store.insert(
            tx,
            session_sha256=digest(token),
            sid=sid,
            citizen_id=citizen_id,
            acr=acr,
            amr=list(amr),
            upstream=upstream,
            browser_label=browser_label,
            lifetime_s=lifetime_s,
        )
    await _record(
        tx, audit, "session.renewed" if renewed else "session.started", citizen_id, sid, acr, amr, purpose, upstream
    )
    return Started(token, sid)


async def step_up(
    tx: Tx,
    audit: Audit,
    *,
    before_sha256: bytes,
    citizen_id: UUID,
    acr: Acr,
    amr: Sequence[str],
    idle_s: int,
    purpose: str | None = None,
) -> Started | None:
    """A second factor added to a live session; None if that session is gone."""
    token = new_token()
    sid = await store.step_up(
        tx, before_sha256, new_sha256=digest(token), citizen_id=citizen_id, acr=acr, amr=list(amr), idle_s=idle_s
    )
    if sid is None:
        return None
    await _record(tx, audit, "session.stepped-up", citizen_id, sid, acr, amr, purpose)
    return Started(token, sid)


async def _record(
    tx: Tx,
    audit: Audit,
    action: Literal["session.started", "session.renewed", "session.stepped-up"],
    citizen_id: UUID,
    sid: str,
    acr: Acr,
    amr: Sequence[str],
    purpose: str | None,
    upstream: str | None = None,
) -> None:
    await audit.append(
        tx,
        AuditEvent(
            action=action,
            actor_kind="citizen",
            actor=str(citizen_id),
            owner=str(citizen_id),
            object_id=sid,
            purpose=purpose,
            detail={"acr": acr, "amr": list(amr), **({"upstream": upstream} if upstream else {})},
        ),
    )
