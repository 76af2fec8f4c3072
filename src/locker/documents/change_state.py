from collections.abc import Sequence

from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx
from locker.documents import store
from locker.documents.identifier import document_id_of
from locker.documents.lifecycle_refusals import DocumentNotYours, StateConflict
from locker.documents.record_schema import DocumentState, RevocationReason, State, SuspensionReason


async def revoke(
    db: Database, audit: Audit, document_id: str, *, administration: str, client_id: str, reason: RevocationReason
) -> DocumentState:
    """For good. Also a superseded version can be revoked: its issuer no longer stands by what it said."""
    return await _change(
        db,
        audit,
        document_id,
        administration=administration,
        client_id=client_id,
        before=("valid", "suspended", "superseded"),
        after="revoked",
        reason=reason,
        action="document.revoked",
    )


async def suspend(
    db: Database, audit: Audit, document_id: str, *, administration: str, client_id: str, reason: SuspensionReason
) -> DocumentState:
    return await _change(
        db,
        audit,
        document_id,
        administration=administration,
        client_id=client_id,
        before=("valid",),
        after="suspended",
        reason=reason,
        action="document.suspended",
    )


async def resume(db: Database, audit: Audit, document_id: str, *, administration: str, client_id: str) -> DocumentState:
    return await _change(
        db,
        audit,
        document_id,
        administration=administration,
        client_id=client_id,
        before=("suspended",),
        after="valid",
        reason=None,
        action="document.resumed",
    )


async def _change(
    db: Database,
    audit: Audit,
    document_id: str,
    *,
    administration: str,
    client_id: str,
    before: Sequence[State],
    after: State,
    reason: str | None,
    action: str,
) -> DocumentState:
    """The same again answers the same and writes nothing. Raises DocumentNotYours, StateConflict."""
    owner = await store.owner_of(db, document_id=document_id) if document_id_of(document_id) == document_id else None
    if owner is None:
        raise DocumentNotYours

    async def record(tx: Tx) -> DocumentState:
        changed = await store.change_state(
            tx,
            owner=owner,
            document_id=document_id,
            administration=administration,
            before=before,
            after=after,
            reason=reason,
        )
        if changed is None:
            return await _unchanged(tx, owner, document_id, administration=administration, after=after, reason=reason)
        await audit.append(
            tx,
            AuditEvent(
                action=action,
                actor_kind="client",
                actor=client_id,
                owner=owner,
                object_id=document_id,
                detail={"administration": administration, "type": changed.type, "reason": reason or ""},
            ),
        )
        await store.append_to_outbox(
            tx, owner=owner, topic=action, body={"document_id": document_id, "type": changed.type}
        )
        return changed

    return await db.transact(record)


async def _unchanged(
    tx: Tx, owner: str, document_id: str, *, administration: str, after: State, reason: str | None
) -> DocumentState:
    present = await store.state_of(tx, owner=owner, document_id=document_id, administration=administration)
    if present is None:
        raise DocumentNotYours
    if present.state != after or present.state_reason != reason:
        raise StateConflict(present.state)
    return present
