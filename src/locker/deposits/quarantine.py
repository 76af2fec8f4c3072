from collections.abc import Sequence

import msgspec

from kit.audit import Audit, AuditEvent
from kit.db import Tx
from locker.deposits import store
from locker.deposits.quarantine_state import waiting_state
from locker.deposits.refusals import QuarantineFull
from locker.deposits.schema import Part, Quarantined, WaitingDocument
from locker.documents.record_schema import NewDocument
from locker.signatures.schema import Verdict


class QuarantineLimits(msgspec.Struct, frozen=True, kw_only=True):
    first_wait_s: int
    wait_max_s: int
    """Waits double from the first one up to this."""
    attempts_max: int
    """Judgements, that of the deposit included; after the last one it is refused."""
    lease_s: int
    """A judgement that has not ended for this long is begun again by somebody else."""
    per_administration_max: int

    def wait_s(self, attempts: int) -> float:
        """After so many judgements."""
        return float(min(self.first_wait_s * 2 ** min(attempts - 1, 30), self.wait_max_s))


async def quarantine(
    tx: Tx,
    audit: Audit,
    kept: Sequence[NewDocument],
    verdict: Verdict,
    limits: QuarantineLimits,
    *,
    part: Part,
    awaits_scan: bool,
) -> Quarantined:
    """Keep what may pass later, in the depositor's transaction; its bytes are stored already. QuarantineFull.

    ``kept`` is one for each owner: they wait together. ``verdict`` is the one that keeps them waiting, and speaks of
    ``part``.

    Nothing here says whose it is to the citizen: the audit row has no owner.
    """
    for new in kept:
        due = await store.quarantine(
            tx,
            new,
            verdict,
            part=part,
            awaits_scan=awaits_scan,
            first_wait_s=limits.first_wait_s,
            per_administration_max=limits.per_administration_max,
        )
        if due is None:
            raise QuarantineFull(retry_after_s=limits.first_wait_s)
        next_attempt_at = due
        await audit.append(
            tx,
            AuditEvent(
                action="deposit.quarantined",
                actor_kind="client",
                actor=new.deposited_by,
                object_id=new.document_id,
                detail={
                    "administration": new.administration,
                    "sub_indication": verdict.sub_indication or "",
                    "awaits_scan": awaits_scan,
                },
            ),
        )
    first = kept[0]
    return Quarantined(
        document_id=first.document_id,
        uri=first.uri,
        type=first.type,
        version=first.version,
        sha256=first.stored.plaintext_sha256.hex(),
        data_sha256=first.data_sha256,
        data_signature_sha256=first.data_signature_sha256,
        documents=[
            WaitingDocument(document_id=new.document_id, uri=new.uri, version=new.version)
            for new in kept
            if len(kept) > 1
        ],
        state=waiting_state(passed=verdict.passed),
        indication=verdict.indication,
        sub_indication=verdict.sub_indication,
        next_attempt_at=next_attempt_at,
    )
