import asyncio
import tempfile
from datetime import datetime
from pathlib import Path

import msgspec

from locker.archive import store
from locker.archive.copies import read_copy, save
from locker.archive.desk import ArchiveReading
from locker.archive.evidence import covered_digests, evidence_record_of, imprint
from locker.archive.refusals import NotArchived
from locker.archive.schema import HeldCopy, KeptShown, Member
from locker.signatures.judge_evidence_record import EvidenceVerdict, judge_read_record
from locker.signatures.policies import ARCHIVE
from locker.signatures.schema import Policy, Verdict
from locker.signatures.trust_store import TrustStore


async def assess(
    desk: ArchiveReading, document_id: str, *, at: datetime | None = None, known_until: datetime | None = None
) -> KeptShown:
    """How the archived copy stands on a day: by itself, or by the evidence record that proves that it existed.

    ``known_until`` lets what became known of revocation since speak about the day. Raises NotArchived where there is no
    copy yet.
    """
    moment = at or desk.clock()
    held = await store.held(desk.db, document_id=document_id)
    if held is None or held.copy is None:
        raise NotArchived
    trust = await desk.trust.trust(desk.db)
    policy = msgspec.structs.replace(ARCHIVE, size_max_bytes=desk.size_max_bytes)
    with tempfile.TemporaryDirectory(prefix="khizana-archive-", dir=desk.folder) as folder:
        path = Path(folder, "copy.pdf")
        frames = read_copy(desk.vault, held.copy, owner=held.owner, document_id=document_id, generation=held.generation)
        await save(frames, path)
        alone = await desk.judge.validate(path, trust=trust, policy=policy, at=moment, known_until=known_until)
        if alone.passed:
            return _shown(held, moment, alone, by="copy", evidence=None)
        evidence = await _evidence(desk, held, moment)
        if evidence is None or evidence.proven_time is None:
            return _shown(held, moment, alone, by="none", evidence=evidence)
        # What existed then is judged for then, with what is known since (EN 319 102-1 §5.6.3).
        then = await _then(desk, path, policy, evidence.proven_time, known_until or moment)
    return _shown(held, moment, then, by="evidence-record", evidence=evidence)


async def _then(desk: ArchiveReading, path: Path, policy: Policy, proven: datetime, known_until: datetime) -> Verdict:
    trust = await desk.trust.trust(desk.db)
    return await desk.judge.validate(path, trust=trust, policy=policy, at=proven, known_until=known_until)


async def _evidence(desk: ArchiveReading, held: HeldCopy, at: datetime) -> EvidenceVerdict | None:
    assert held.copy is not None
    found = await evidence_record_of(desk.db, held, at)
    if found is None:
        return None
    record, covered_bytes = found
    member = Member(
        owner=held.owner,
        document_id=held.document_id,
        generation=held.generation,
        copy=held.copy,
        covered_bytes=covered_bytes,
    )
    algorithms = sorted({chain[0].digest_algorithm for chain in record.chains})
    digests = await covered_digests(desk.vault, member, algorithms)
    trust = await desk.trust.trust(desk.db)
    return await asyncio.to_thread(
        lambda: judge_read_record(record, [imprint(digests)], TrustStore(trust), ARCHIVE, at)
    )


def _shown(held: HeldCopy, at: datetime, verdict: Verdict, *, by: str, evidence: EvidenceVerdict | None) -> KeptShown:
    proven = [signature.proven_time for signature in verdict.signatures if signature.proven_time]
    return KeptShown(
        document_id=held.document_id,
        at=at,
        state=held.state,
        generation=held.generation,
        time_stamped_at=held.time_stamped_at,
        renew_by=held.renew_by,
        indication=verdict.indication,
        sub_indication=verdict.sub_indication,
        reasons=verdict.reasons,
        proven_time=min(proven, default=None),
        by=by if verdict.passed else "none",  # type: ignore[arg-type]
        evidence=evidence,
        verdict=verdict,
    )
