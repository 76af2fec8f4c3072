import re
from collections.abc import Sequence

from kit.audit import ActorKind, Audit, AuditEvent
from kit.db import Database, Tx
from kit.ids import CROCKFORD
from kit.jose import PublishedKey
from locker.printed import store
from locker.printed.claims import from_labels
from locker.printed.cose import NotAuthentic, message_of, verified1
from locker.printed.refusals import PrintedUnknown
from locker.printed.schema import Checked, Status

_PRINTED_ID = re.compile(f"[{CROCKFORD}]{{13}}")


async def check(db: Database, audit: Audit, keys: Sequence[PublishedKey], text: str, *, locker_url: str) -> Checked:
    """A code's address, or its fragment: did we sign it, and how is its document today? A no is a value."""
    try:
        claims = from_labels(verified1(message_of(text.strip().rpartition("#")[2]), keys))
        if claims.issuer != locker_url:
            raise NotAuthentic("claims")
    except NotAuthentic as reason:
        return Checked(authentic=False, reason=reason.reason, claims=None, status=None)  # type: ignore[arg-type]
    try:
        status = await status_of(db, audit, claims.printed_id)
    except PrintedUnknown:
        # Signed and not known: of a backup that is older than the paper.
        status = None
    return Checked(authentic=True, reason=None, claims=claims, status=status)


async def status_of(db: Database, audit: Audit, printed_id: str, *, actor_kind: ActorKind = "anonymous") -> Status:
    """How a printed document is now; its holder sees that somebody asked."""
    if not _PRINTED_ID.fullmatch(printed_id.upper()):
        raise PrintedUnknown

    async def within(tx: Tx) -> Status | None:
        row = await store.find(tx, printed_id=printed_id.upper())
        if row is None:
            return None
        await audit.append(
            tx,
            AuditEvent(
                action="document.checked",
                actor_kind=actor_kind,
                owner=row.owner,
                object_id=row.document_id,
                detail={"printed_id": row.status.printed_id, "standing": row.status.standing},
            ),
        )
        return row.status

    found = await db.transact(within)
    if found is None:
        raise PrintedUnknown
    return found
