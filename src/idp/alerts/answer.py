from uuid import UUID

from idp.alerts import store
from idp.citizens.refusals import StateRefused
from idp.freezing.freeze import freeze
from idp.freezing.schema import Freezing, Identity
from idp.sessions.end import end_by_sid
from kit.audit import Audit, AuditEvent
from kit.db import Tx
from kit.tokens import digest


async def not_me(tx: Tx, audit: Audit, token: str, *, browser_sha256: bytes) -> UUID | None:
    """End the session of the alert at once; None for a link that was used, is over or is no link of ours."""
    found = await store.answer(tx, digest(token), browser_sha256=browser_sha256)
    if found is None:
        return None
    citizen_id, sid = found
    await end_by_sid(tx, audit, citizen_id, sid, because="not-me")
    await audit.append(
        tx, AuditEvent(action="sign-in.disowned", actor_kind="anonymous", owner=str(citizen_id), object_id=sid)
    )
    return citizen_id


FREEZE_WITHIN_S = 900


async def freeze_after(tx: Tx, parts: Freezing, *, browser_sha256: bytes) -> bool:
    """The browser that answered just now may freeze the whole identity: it takes nothing but time from its owner.

    False where no alert was answered there, or there is nothing to freeze any more.
    """
    citizen_id = await store.answered_in(tx, browser_sha256, within_s=FREEZE_WITHIN_S)
    if citizen_id is None:
        return False
    try:
        return await freeze(tx, parts, citizen_id, Identity(), because="not-me")
    except StateRefused:
        return False
