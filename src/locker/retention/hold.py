"""A legal hold: by an officer, with the reference of who ordered it."""

from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx
from kit.errors import Invalid
from locker.erasing.hasten import hasten
from locker.retention import store
from locker.retention.refusals import DocumentUnknown, HoldUnknown
from locker.vault import Vault

REFERENCE_MAX = 200


async def place_hold(
    db: Database, audit: Audit, vault: Vault, *, document_id: str, reference: str, officer: str
) -> None:
    """Raises DocumentUnknown, and Erased where it is too late."""
    if not 1 <= len(reference) <= REFERENCE_MAX:
        raise Invalid(f"a reference of 1 to {REFERENCE_MAX} characters is needed")

    async def place(tx: Tx) -> None:
        owner = await store.holder_of(tx, document_id=document_id)
        if owner is None:
            raise DocumentUnknown
        # An erasure destroys the key before it asks for holds: one of us waits for the other.
        await vault.hold_owner_key(tx, owner=owner, parted_too=True)
        if not await store.place(tx, owner=owner, document_id=document_id, reference=reference, placed_by=officer):
            raise DocumentUnknown
        await _append(tx, audit, "hold.placed", owner, document_id, reference, officer)

    await db.transact(place)


async def release_hold(db: Database, audit: Audit, *, document_id: str, reference: str, officer: str) -> None:
    async def release(tx: Tx) -> None:
        owner = await store.release(tx, document_id=document_id, reference=reference)
        if owner is None:
            raise HoldUnknown
        await hasten(tx, owner=owner)
        await _append(tx, audit, "hold.released", owner, document_id, reference, officer)

    await db.transact(release)


async def _append(
    tx: Tx, audit: Audit, action: str, owner: str, document_id: str, reference: str, officer: str
) -> None:
    await audit.append(
        tx,
        AuditEvent(
            action=action,
            actor_kind="officer",
            actor=officer,
            owner=owner,
            object_id=document_id,
            purpose=reference,
            detail={"reference": reference},
        ),
    )
