from collections.abc import Sequence
from datetime import datetime

from kit.audit import Audit, AuditEvent
from kit.db import Tx
from locker.archive.enlist import enlist
from locker.documents import store
from locker.documents.change_state import apply, revocation
from locker.documents.lifecycle_refusals import ReferenceTaken, StateConflict
from locker.documents.record_schema import Member, NewDocument
from locker.references.record import record as record_reference
from locker.signed_data.record import record as record_data

Revoked = tuple[str | None, str | None]
"""Why and by which client."""


async def record_all(
    tx: Tx,
    audit: Audit,
    kept: Sequence[NewDocument],
    *,
    revoked_early: Revoked = (None, None),
    received_at: datetime | None = None,
) -> datetime:
    """Write the documents of one deposit, one for each of its owners, and what they take the place of, inside the
    depositor's transaction; the reference is of the deposit.

    Their bytes are stored already, since ``received_at`` if that is not now. What its issuer revoked before it was here
    is revoked from its first moment. Returns when it was deposited; raises StateConflict if what it replaces is no
    longer a current version, ReferenceTaken.
    """
    for new in sorted(kept, key=lambda one: one.owner):
        deposited_at = await _insert(tx, audit, new, received_at)
    first = kept[0]
    if first.reference is not None:
        bound = await store.bind_reference(
            tx, administration=first.administration, reference=first.reference, document_id=first.document_id
        )
        if bound is None:
            raise ReferenceTaken
        revoked_early = revoked_early if revoked_early[0] else bound
    reason, client_id = revoked_early
    if reason:
        await apply(
            tx,
            audit,
            [Member(owner=new.owner, document_id=new.document_id) for new in kept],
            revocation(reason),
            administration=first.administration,
            client_id=client_id or first.deposited_by,
        )
    return deposited_at


async def _insert(tx: Tx, audit: Audit, new: NewDocument, received_at: datetime | None) -> datetime:
    if new.replaces is not None and not await store.supersede(
        tx, owner=new.owner, document_id=new.replaces, reason=new.correction
    ):
        raise StateConflict("superseded")
    deposited_at = await store.insert(tx, new)
    if new.data is not None:
        await record_data(tx, new.data, owner=new.owner, document_id=new.document_id)
    if new.url_sealed is not None:
        # Bytes that its issuer keeps are not archived here, unless the citizen keeps a copy.
        await record_reference(
            tx,
            owner=new.owner,
            document_id=new.document_id,
            url_sealed=new.url_sealed,
            confirmed_at=received_at,
        )
    else:
        await enlist(tx, owner=new.owner, document_id=new.document_id)
    if new.replaces is not None:
        await store.link_successor(tx, owner=new.owner, document_id=new.replaces, replaced_by=new.document_id)
        action = "document.corrected" if new.correction else "document.superseded"
        await _append(tx, audit, new, action=action, document_id=new.replaces)
    await _append(tx, audit, new, action="document.deposited", document_id=new.document_id)
    return deposited_at


async def _append(tx: Tx, audit: Audit, new: NewDocument, *, action: str, document_id: str) -> None:
    await audit.append(
        tx,
        AuditEvent(
            action=action,
            actor_kind="client",
            actor=new.deposited_by,
            owner=new.owner,
            object_id=document_id,
            detail={"administration": new.administration, "type": new.type, "version": new.version}
            | ({"reason": new.correction} if action == "document.corrected" else {}),
        ),
    )
    # For who acts on it a correction is a new version like any other.
    topic = "document.superseded" if action == "document.corrected" else action
    await store.append_to_outbox(tx, owner=new.owner, topic=topic, body={"document_id": document_id, "type": new.type})


async def count_in(tx: Tx, *, owner: str, length: int, documents_max: int, bytes_max: int) -> bool:
    """False if the owner would hold more than one citizen may (V-21)."""
    return await store.count_in(tx, owner=owner, length=length, documents_max=documents_max, bytes_max=bytes_max)
