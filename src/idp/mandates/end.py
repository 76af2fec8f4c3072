from uuid import UUID

from idp.mandates import store
from idp.mandates.refusals import UnknownMandate
from idp.mandates.schema import Mandating
from idp.mandates.tell import tell_both
from kit.audit import Audit, AuditEvent
from kit.db import Tx


async def end(tx: Tx, parts: Mandating, mandate_id: UUID, *, by: UUID) -> None:
    """Either side ends or declines it, at once, for every token that came of it. Raises UnknownMandate."""
    row = await store.end(tx, mandate_id, by=by)
    if row is None:
        raise UnknownMandate
    people = (row["represented_id"], row["actor_id"])
    await tell_both(tx, parts, mandate_id, people, "mandate.ended", actor_kind="citizen", actor=str(by))


async def end_at_desk(tx: Tx, parts: Mandating, mandate_id: UUID, *, officer: str, reason: str) -> None:
    """Raises UnknownMandate."""
    row = await store.end(tx, mandate_id, by=None)
    if row is None:
        raise UnknownMandate
    people = (row["represented_id"], row["actor_id"])
    await tell_both(tx, parts, mandate_id, people, "mandate.ended", actor_kind="officer", actor=officer, purpose=reason)


async def end_all_of(tx: Tx, audit: Audit, citizen_id: UUID, *, because: str) -> None:
    """Freezing, suspension or death of either side: what was trusted then is not trusted later by itself."""
    for row in await store.end_all_of(tx, citizen_id):
        for owner in (row["represented_id"], row["actor_id"]):
            await audit.append(
                tx,
                AuditEvent(
                    action="mandate.ended",
                    actor_kind="system",
                    owner=str(owner),
                    object_id=str(row["mandate_id"]),
                    detail={"because": because},
                ),
            )
