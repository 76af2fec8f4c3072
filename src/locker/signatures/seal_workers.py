"""Ask for the parts of sealing that parse what others sent. They happen in limited worker processes, without keys."""

import functools
from datetime import datetime
from pathlib import Path

import msgspec

from kit.workers import WorkerFailed, WorkerFault, WorkerPool
from locker.signatures.reasons import REASONS
from locker.signatures.schema import Trust
from locker.signatures.seal_request import (
    Answer,
    CheckCertificate,
    CheckTimeStamp,
    Evidence,
    FindEvidence,
    Job,
    Prepared,
    PrepareLater,
    PrepareSeal,
    Refused,
    Room,
    ValidationData,
)
from locker.signatures.sealer import DIGEST, Sealer, SealingRefused

_MIB = 1024 * 1024


def seal_workers(*, workers: int, waiting_max: int, pdf_max_bytes: int) -> WorkerPool:
    return WorkerPool(
        "seals",
        target="locker.signatures.seal_worker:work",
        workers=workers,
        waiting_max=waiting_max,
        address_space_bytes=768 * _MIB,
        cpu_s=5,
        wall_s=10.0,
        jobs_max=500,
        file_max_bytes=pdf_max_bytes + 64 * _MIB,
    )


class SealWorkers:
    """``pool`` is closed by who made it. All raise Unavailable when too much waits."""

    def __init__(self, pool: WorkerPool) -> None:
        self._pool = pool

    async def prepare(self, job: PrepareSeal) -> Room:
        """SealingRefused for a document that may not be sealed."""
        try:
            answer = await self._do(job)
        except WorkerFailed as failed:
            # Each is the document's doing: a fault of ours would show with documents that are in order too.
            raise refused("not-judged" if isinstance(failed, WorkerFault) else "too-costly") from failed
        if isinstance(answer, Refused):
            raise refused(answer.reason)
        assert isinstance(answer, Prepared)
        assert answer.room is not None
        return answer.room

    async def later(
        self,
        path: Path,
        into: Path,
        *,
        data: ValidationData | None = None,
        reserved_bytes: int | None = None,
        field_prefix: str = "",
        digest_algorithm: str = DIGEST,
    ) -> Room | None:
        """One more step of a document that we judged: validation data, room for a document time stamp, or both.

        ``digest_algorithm`` is that of the time stamp. WorkerFailed for a document that costs too much.
        """
        answer = await self._do(
            PrepareLater(
                path=str(path),
                into=str(into),
                data=data,
                reserved_bytes=reserved_bytes,
                field_prefix=field_prefix,
                digest_algorithm=digest_algorithm,
            )
        )
        assert isinstance(answer, Prepared)
        return answer.room

    async def check_certificate(self, sealer: Sealer, *, trust: Trust, at: datetime) -> None:
        """SealingRefused for one that leads to no anchor, has ended, is too weak or was revoked."""
        answer = await self._do(
            CheckCertificate(certificate=sealer.certificate_der, chain=sealer.chain_der, trust=encoded(trust), at=at)
        )
        if isinstance(answer, Refused):
            raise refused(answer.reason)

    async def against_time_stamp(
        self, token: bytes, imprint_sha256: bytes, *, trust: Trust, at: datetime
    ) -> str | None:
        """Why a fresh token will not be believed, or None."""
        try:
            answer = await self._do(
                CheckTimeStamp(token=token, imprint_sha256=imprint_sha256, trust=encoded(trust), at=at)
            )
        except WorkerFailed:
            return "time-stamp-invalid"
        return answer.reason if isinstance(answer, Refused) else None

    async def find_evidence(self, path: Path, *, trust: Trust) -> Evidence:
        answer = await self._do(FindEvidence(path=str(path), trust=encoded(trust)))
        assert isinstance(answer, Evidence)
        return answer

    async def _do(self, job: Job) -> Answer:
        answer: Answer = msgspec.msgpack.decode(await self._pool.run(msgspec.msgpack.encode(job)), type=Answer)
        return answer


def refused(reason: str) -> SealingRefused:
    said = REASONS.get(reason)
    return SealingRefused(said.msgid if said else None, members={"reason": reason})


@functools.lru_cache(maxsize=64)
def encoded(trust: Trust) -> bytes:
    return msgspec.msgpack.encode(trust)
