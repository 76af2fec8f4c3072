"""Suspend, resume, revoke: what an issuer says later of what it deposited, for all owners of the deposit at once."""

import hashlib
from collections.abc import Sequence

import msgspec

from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx
from kit.throttle import Limit, Throttle
from locker.deposits.revoke_waiting import revoke_waiting
from locker.documents import store
from locker.documents.identifier import document_id_of
from locker.documents.lifecycle_refusals import DocumentNotYours, StateChanged, StateConflict, StateKeyReused
from locker.documents.preconditions import names
from locker.documents.record_schema import Acting, DocumentState, Member, RevocationReason, State, SuspensionReason

SUSPENSIONS = Limit("suspensions", attempts=20, per_s=86_400)
"""Of one document."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    before: tuple[State, ...]
    after: State
    reason: str | None
    action: str


async def revoke(
    db: Database, audit: Audit, document_id: str, acting: Acting, *, reason: RevocationReason
) -> DocumentState:
    """For good. Also a superseded version can be revoked: its issuer no longer stands by what it said.

    One that still waits to be judged is revoked from its first moment, if it ever becomes a document.
    """
    return await _change(db, audit, document_id, acting, revocation(reason))


async def suspend(
    db: Database, audit: Audit, throttle: Throttle, document_id: str, acting: Acting, *, reason: SuspensionReason
) -> DocumentState:
    """TooManyRequests where it was suspended so often that its owners' histories would be of nothing else. To resume
    and to revoke are never refused for that."""
    change = Change(before=("valid",), after="suspended", reason=reason, action="document.suspended")
    return await _change(db, audit, document_id, acting, change, throttle=throttle)


async def resume(db: Database, audit: Audit, document_id: str, acting: Acting) -> DocumentState:
    change = Change(before=("suspended",), after="valid", reason=None, action="document.resumed")
    return await _change(db, audit, document_id, acting, change)


def revocation(reason: str) -> Change:
    return Change(
        before=("valid", "suspended", "superseded"), after="revoked", reason=reason, action="document.revoked"
    )


async def apply(
    tx: Tx, audit: Audit, members: Sequence[Member], change: Change, *, administration: str, client_id: str
) -> list[DocumentState]:
    """In the caller's transaction; those that changed, each with a line in its own owner's history."""
    changed = await store.change_state(
        tx,
        members,
        administration=administration,
        before=change.before,
        after=change.after,
        reason=change.reason,
    )
    for state in changed:
        await audit.append(
            tx,
            AuditEvent(
                action=change.action,
                actor_kind="client",
                actor=client_id,
                owner=state.owner,
                object_id=state.document_id,
                detail={"administration": administration, "type": state.type, "reason": change.reason or ""},
            ),
        )
        await store.append_to_outbox(
            tx,
            owner=state.owner,
            topic=change.action,
            body={"document_id": state.document_id, "type": state.type},
        )
    return changed


async def _change(
    db: Database,
    audit: Audit,
    document_id: str,
    acting: Acting,
    change: Change,
    *,
    throttle: Throttle | None = None,
) -> DocumentState:
    """The same again answers the same and writes nothing; under the same Idempotency-Key also after later changes.

    Raises DocumentNotYours, StateConflict, StateChanged, StateKeyReused.
    """
    if document_id_of(document_id) != document_id:
        raise DocumentNotYours

    async def within(tx: Tx) -> DocumentState:
        key = acting.idempotency_key
        if key is not None:
            request_sha256 = _digest(document_id, change)
            before = await store.begin_request(tx, client_id=acting.client_id, key=key, request_sha256=request_sha256)
            if before is not None:
                return _answered(*before, request_sha256=request_sha256)
        answer, changed = await _changed(tx, audit, document_id, acting, change)
        if changed and throttle is not None:
            await throttle.count(tx, SUSPENSIONS, min(changed))
        if key is not None:
            # Whose it is, nobody asks again, and the key outlives an erasure.
            kept = msgspec.to_builtins(msgspec.structs.replace(answer, owner=""))
            await store.answer_request(tx, client_id=acting.client_id, key=key, answer=kept)
        return answer

    return await db.transact(within)


async def _changed(
    tx: Tx, audit: Audit, document_id: str, acting: Acting, change: Change
) -> tuple[DocumentState, list[str]]:
    """How it stands, and which documents changed."""
    members = await store.members(tx, document_id=document_id)
    if not members:
        waiting = await revoke_waiting(tx, audit, document_id, acting, change.reason) if _is_final(change) else None
        if waiting is not None:
            return waiting, []
        # Judged between the two looks.
        members = await store.members(tx, document_id=document_id)
    if not members:
        raise DocumentNotYours
    if acting.if_match is not None:
        await store.hold(tx, members, administration=acting.administration)
        present = await _present(tx, members[0], acting)
        if not names(acting.if_match, f'"{present.revision}"', weak=False):
            raise StateChanged(present.state, present.revision)
    changed = await apply(tx, audit, members, change, administration=acting.administration, client_id=acting.client_id)
    own = next((state for state in changed if state.document_id == members[0].document_id), None)
    if own is not None:
        return own, [state.document_id for state in changed]
    present = await _present(tx, members[0], acting)
    if present.state != change.after or present.state_reason != change.reason:
        raise StateConflict(present.state)
    return present, []


async def _present(tx: Tx, member: Member, acting: Acting) -> DocumentState:
    present = await store.state_of(
        tx,
        owner=member.owner,
        document_id=member.document_id,
        administration=acting.administration,
    )
    if present is None:
        raise DocumentNotYours
    return present


def _is_final(change: Change) -> bool:
    return change.after == "revoked"


def _digest(document_id: str, change: Change) -> bytes:
    return hashlib.sha256(msgspec.json.encode([document_id, change.after, change.reason])).digest()


def _answered(sha256: bytes, answer: object, *, request_sha256: bytes) -> DocumentState:
    if sha256 != request_sha256 or answer is None:
        raise StateKeyReused
    return msgspec.convert(answer, DocumentState)
