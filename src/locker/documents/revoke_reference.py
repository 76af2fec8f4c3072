from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx
from locker.documents import store
from locker.documents.change_state import apply, revocation
from locker.documents.lifecycle_refusals import DocumentNotYours, StateConflict, TooManyAwaited
from locker.documents.record_schema import Acting, Awaited, DocumentState, ReferenceRevocation

AWAITED_MAX = 10_000
"""References of one administration that were revoked and under which nothing was deposited."""


async def revoke_reference(
    db: Database, audit: Audit, acting: Acting, asked: ReferenceRevocation
) -> DocumentState | Awaited:
    """Revoke by the administration's own name for it, whether its deposit is here or still on its way.

    Of racing revocations and deposits, whoever is second finds what the first one wrote: nothing is lost.
    """

    async def within(tx: Tx) -> DocumentState | Awaited:
        found = await store.revoke_reference(
            tx,
            administration=acting.administration,
            reference=asked.reference,
            reason=asked.reason,
            client_id=acting.client_id,
            awaited_max=AWAITED_MAX,
        )
        if found is None:
            raise TooManyAwaited(retry_after_s=3_600)
        document_id, reason, new = found
        if document_id is None:
            if reason != asked.reason:
                raise StateConflict("awaited")
            if new:
                await audit.append(tx, _awaited(acting, asked.reason))
            return Awaited(reference=asked.reference, reason=reason)
        members = await store.members(tx, document_id=document_id)
        if not members:
            # Erased, or past its retention: there is nothing left to be revoked.
            raise DocumentNotYours
        change = revocation(asked.reason)
        await apply(tx, audit, members, change, administration=acting.administration, client_id=acting.client_id)
        present = await store.state_of(
            tx,
            owner=members[0].owner,
            document_id=members[0].document_id,
            administration=acting.administration,
        )
        if present is None:
            raise DocumentNotYours
        if present.state_reason != asked.reason:
            raise StateConflict(present.state)
        return present

    return await db.transact(within)


def _awaited(acting: Acting, reason: str) -> AuditEvent:
    return AuditEvent(
        action="deposit.revoked-early",
        actor_kind="client",
        actor=acting.client_id,
        detail={"administration": acting.administration, "reason": reason},
    )
