"""The file of a level that was reached: judged by our own judge, stored, and known by one statement."""

from pathlib import Path
from uuid import UUID

import msgspec

from kit.audit import AuditEvent
from kit.db import Tx
from locker.deposits import orphans
from locker.seals import store
from locker.seals.desk import SealDesk
from locker.seals.raise_level import Raised
from locker.seals.refusals import SealOvertaken
from locker.seals.schema import Level, Sealed, VersionRow
from locker.seals.views import sealed
from locker.signatures.policies import deposit_policy
from locker.signatures.schema import SignatureVerdict, Trust
from locker.signatures.seal_workers import refused
from locker.vault import FileFrames, new_object_key


class Made(msgspec.Struct, frozen=True, kw_only=True):
    path: Path
    level: Level
    pending: Level | None
    seal_id: str
    administration: str
    from_version: int
    verdict: SignatureVerdict
    certificate_sha256: bytes | None = None


def owner_of(administration: str) -> str:
    """Under whose key the vault keeps these files: no citizen's ``sub`` looks like it."""
    return f"seals:{administration}"


async def judged(desk: SealDesk, raised: Raised, *, trust: Trust) -> SignatureVerdict:
    """Of our own seal, which is the last signature. SealingRefused where it is not what it must be.

    INDETERMINATE is handed out as what it is: a certificate whose status nobody knows yet may be known tomorrow.
    """
    policy = msgspec.structs.replace(
        deposit_policy(minimum_level="B"), size_max_bytes=desk.limits.receive.pdf_max_bytes + 64 * 1024 * 1024
    )
    verdict = await desk.judge.validate(raised.path, trust=trust, policy=policy)
    if not verdict.signatures:
        raise refused(verdict.reasons[0] if verdict.reasons else "not-judged")
    mine = verdict.signatures[-1]
    if mine.indication == "TOTAL-FAILED":
        raise refused(mine.reasons[0])
    assert mine.level == f"PAdES-BASELINE-{raised.level.removeprefix('B-')}", (
        "the seal has not the level it was made at"
    )
    return mine


async def keep(desk: SealDesk, made: Made, event: AuditEvent, *, attempt: UUID) -> Sealed:
    """``event`` is written in the same transaction. SealOvertaken where another attempt went on without this one."""
    owner, object_key, number = owner_of(made.administration), new_object_key(), made.from_version + 1
    await orphans.intend(desk.db, owner=owner, object_key=object_key)
    stored = await desk.vault.put(
        owner=owner,
        document_id=made.seal_id,
        version=number,
        object_key=object_key,
        frames=FileFrames(made.path),
        length=made.path.stat().st_size,
    )
    version = VersionRow(
        version=number,
        level=made.level,
        indication=made.verdict.indication,
        sub_indication=made.verdict.sub_indication,
        stored=stored,
    )

    async def commit(tx: Tx) -> Sealed:
        await desk.vault.hold_owner_key(tx, owner=owner)
        row = await store.reach(
            tx,
            administration=made.administration,
            seal_id=made.seal_id,
            attempt=attempt,
            from_version=made.from_version,
            level=made.level,
            pending=made.pending,
            certificate_sha256=made.certificate_sha256,
        )
        if row is None or not await orphans.fulfil(tx, owner=owner, object_key=object_key):
            raise SealOvertaken
        await store.add_version(tx, administration=made.administration, seal_id=made.seal_id, version=version)
        await desk.audit.append(tx, event)
        return sealed(row, version, locker_url=desk.locker_url)

    return await desk.db.transact(commit)
