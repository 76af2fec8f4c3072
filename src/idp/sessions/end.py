"""Every end of a session passes here, so that with it end the tokens that were not to outlive it, and the clients that
took part are told (Back-Channel Logout §2.7). An expiry is nobody's act and tells nobody."""

from typing import Literal
from uuid import UUID

import msgspec

from idp.logout.queue_notices import queue_notices
from idp.sessions import store
from idp.token.end_with_session import end_with_session
from kit.audit import Audit, AuditEvent
from kit.db import Tx


class Ended(msgspec.Struct, frozen=True):
    sid: str
    citizen_id: UUID


async def end(tx: Tx, audit: Audit, session_sha256: bytes, *, because: str = "sign-out") -> Ended | None:
    """End one session; None if it was not alive. ``because`` stands in the citizen's history."""
    found = await store.end(tx, session_sha256)
    if found is None:
        return None
    await _follow(tx, audit, found[1], [found[0]], because, actor_kind="citizen")
    return Ended(*found)


async def end_by_sid(tx: Tx, audit: Audit, citizen_id: UUID, sid: str, *, because: str) -> bool:
    if not await store.end_by_sid(tx, citizen_id, sid):
        return False
    await _follow(tx, audit, citizen_id, [sid], because, actor_kind="citizen")
    return True


async def end_all_for(
    tx: Tx, audit: Audit, citizen_id: UUID, *, because: str, except_sid: str | None = None
) -> list[str]:
    """The ``sid`` of each session that was ended."""
    sids = await store.end_all_for(tx, citizen_id, except_sid=except_sid)
    await _follow(tx, audit, citizen_id, sids, because, actor_kind="system")
    return sids


async def end_all_through(tx: Tx, audit: Audit, upstream: str, *, citizen_id: UUID | None, because: str) -> None:
    """Sessions that began at another provider: of one citizen, or, with None, of everybody."""
    for sid, owner in await store.end_all_through(tx, upstream, citizen_id=citizen_id):
        await _follow(tx, audit, owner, [sid], because, actor_kind="system")


async def _follow(
    tx: Tx, audit: Audit, citizen_id: UUID, sids: list[str], because: str, *, actor_kind: Literal["citizen", "system"]
) -> None:
    await queue_notices(tx, sids)
    for sid in sids:
        await end_with_session(tx, sid)
        await audit.append(
            tx,
            AuditEvent(
                action="session.ended",
                actor_kind=actor_kind,
                actor=str(citizen_id) if actor_kind == "citizen" else "",
                owner=str(citizen_id),
                object_id=sid,
                detail={"because": because},
            ),
        )
