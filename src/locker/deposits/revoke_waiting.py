from kit.audit import Audit, AuditEvent
from kit.db import Tx
from locker.deposits import store
from locker.documents.lifecycle_refusals import StateConflict
from locker.documents.record_schema import Acting, DocumentState


async def revoke_waiting(
    tx: Tx, audit: Audit, document_id: str, acting: Acting, reason: str | None
) -> DocumentState | None:
    """Remember a revocation of what still waits to be judged; None where nothing of this administration waits.

    Its row is held until the caller's transaction ends, so that a judgement that passes now finds it.
    """
    found = await store.revoke_waiting(
        tx,
        document_id=document_id,
        administration=acting.administration,
        reason=reason or "",
        client_id=acting.client_id,
    )
    if found is None:
        return None
    state, new = found
    if state.state_reason != reason:
        raise StateConflict("revoked")
    if new:
        await audit.append(
            tx,
            AuditEvent(
                action="deposit.revoked-early",
                actor_kind="client",
                actor=acting.client_id,
                object_id=document_id,
                detail={"administration": acting.administration, "reason": reason or ""},
            ),
        )
    return state
