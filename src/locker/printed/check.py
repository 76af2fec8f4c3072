import re

from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx
from kit.ids import CROCKFORD
from kit.strangers import StrangersLines
from kit.throttle import Throttle
from locker.printed import store
from locker.printed.claims import from_labels
from locker.printed.cose import NotAuthentic, message_of, verified1
from locker.printed.refusals import PrintedUnknown
from locker.printed.schema import Checked, Status
from locker.signing.ring import SigningKeys

_LINES = StrangersLines("printed-asked")
_PRINTED_ID = re.compile(f"[{CROCKFORD}]{{13}}")


async def check(
    db: Database, audit: Audit, throttle: Throttle, keys: SigningKeys, text: str, *, locker_url: str
) -> Checked:
    """A code's address, or its fragment: did we sign it, and how is its document today? A no is a value.

    A key that is distrusted is a no: nothing beside the code says what stood in it.
    """
    try:
        message = message_of(text.strip().rpartition("#")[2])
        claims = from_labels(verified1(message, keys.trusted(), distrusted=keys.distrusted()))
        if claims.issuer != locker_url:
            raise NotAuthentic("claims")
    except NotAuthentic as reason:
        return Checked(authentic=False, reason=reason.reason, claims=None, status=None)  # type: ignore[arg-type]
    try:
        status = await status_of(db, audit, throttle, claims.printed_id)
    except PrintedUnknown:
        # Signed and not known: of a backup that is older than the paper.
        status = None
    return Checked(authentic=True, reason=None, claims=claims, status=status)


async def status_of(db: Database, audit: Audit, throttle: Throttle, printed_id: str) -> Status:
    """How a printed document is now; its holder sees that somebody asked."""
    if not _PRINTED_ID.fullmatch(printed_id.upper()):
        raise PrintedUnknown

    async def within(tx: Tx) -> Status | None:
        row = await store.find(tx, printed_id=printed_id.upper())
        if row is None:
            return None
        checked = AuditEvent(
            action="document.checked",
            actor_kind="anonymous",
            owner=row.owner,
            object_id=row.document_id,
            detail={"printed_id": row.status.printed_id, "standing": row.status.standing},
        )
        await _LINES.write(tx, audit, throttle, [checked], thing=row.status.printed_id)
        return row.status

    found = await db.transact(within)
    if found is None:
        raise PrintedUnknown
    return found
