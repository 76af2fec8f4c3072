"""Ask for a verdict. The work happens in limited worker processes; this side never parses a document."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from kit.errors import Unavailable
from kit.workers import WorkerDied, WorkerFailed, WorkerFault, WorkerPool, WorkerTimeout
from locker.signatures.algorithms import ALGORITHMS
from locker.signatures.recent_verdicts import RecentVerdicts, sha256_of
from locker.signatures.schema import Policy, Trust, Verdict
from locker.signatures.sent_trust import SentTrust
from locker.signatures.worker_request import Request

_MIB = 1024 * 1024
_KILLED = "signal 9"


def signature_workers(
    *,
    workers: int = 2,
    waiting_max: int = 32,
    address_space_bytes: int = 512 * _MIB,
    cpu_s: int = 5,
    wall_s: float = 10.0,
    jobs_max: int = 500,
    kept_for_last: int = 0,
) -> WorkerPool:
    """The pool that judges. A document gets ``cpu_s`` seconds of one core; the wall clock is for a crowded machine."""
    return WorkerPool(
        "signatures",
        target="locker.signatures.worker:judge",
        workers=workers,
        waiting_max=waiting_max,
        address_space_bytes=address_space_bytes,
        cpu_s=cpu_s,
        wall_s=wall_s,
        jobs_max=jobs_max,
        kept_for_last=kept_for_last,
    )


class SignatureJudge:
    """Judges files with a pool of workers; ``pool`` is closed by who made it."""

    def __init__(self, pool: WorkerPool) -> None:
        self._pool = pool
        self._sent = SentTrust()
        self._recent = RecentVerdicts()

    async def validate(
        self,
        path: Path,
        *,
        trust: Trust,
        policy: Policy,
        at: datetime | None = None,
        known_until: datetime | None = None,
    ) -> Verdict:
        """Never raises for a bad document: a document that costs too much is INDETERMINATE/GENERIC ``too-costly``.

        Raises ``kit.errors.Unavailable`` when too many documents wait or a judge stood still, and OSError when ``path``
        cannot be read.
        ``at`` is the time to judge for, now by default; it must have a time zone. ``known_until`` lets later revocation
        data speak about ``at``. About 5 ms for 100 kB.
        """
        request = Request(
            path=str(path.absolute()),
            policy=policy,
            at=at or datetime.now(UTC),
            known_until=known_until,
        )
        return await self._ask(request, path, trust)

    async def validate_any(
        self,
        path: Path,
        signature: Path | None,
        *,
        trust: Trust,
        policy: Policy,
        at: datetime | None = None,
        known_until: datetime | None = None,
        sha256: bytes | None = None,
    ) -> Verdict:
        """Like ``validate``, and for what is no PDF: CAdES, JAdES, XAdES, ASiC; ``signature`` is one over ``path``.

        ``sha256`` is that of ``path`` where it is known: the file is then read by who judges it alone.
        """
        request = Request(
            path=str(path.absolute()),
            signature=str(signature.absolute()) if signature else None,
            any_format=True,
            policy=policy,
            at=at or datetime.now(UTC),
            known_until=known_until,
        )
        return await self._ask(request, path, trust, known=sha256)

    async def _ask(self, request: Request, path: Path, trust: Trust, *, known: bytes | None = None) -> Verdict:
        try:
            async with self._sent.of(trust) as wire:
                sent = msgspec.structs.replace(request, trust=wire.encoded, trust_path=wire.path)
                asked = (request.any_format, request.policy, request.known_until, wire.encoded, wire.path)
                # One file: what is bound to another has no digest of its own.
                sha256 = None
                if request.signature is None:
                    sha256 = known.hex() if known else await asyncio.to_thread(sha256_of, path)
                if sha256 and (recent := self._recent.find(sha256, asked, at=request.at)):
                    return recent
                answer = await self._judged(msgspec.msgpack.encode(sent))
        except WorkerFailed as failure:
            reason = "not-judged" if isinstance(failure, WorkerFault) else "too-costly"
            return await asyncio.to_thread(_unjudged, path, trust, request.policy, request.at, reason)
        verdict = msgspec.msgpack.decode(answer, type=Verdict)
        # Not where the file was another by then, and not what was said of the data inside a file: those bytes alone
        # are another file.
        if verdict.sha256 == sha256:
            self._recent.keep(verdict, asked, at=request.at)
        return verdict

    async def _judged(self, asked: bytes, *, tries: int = 2) -> bytes:
        """A document's cost ends a judge by its limits: memory, CPU. What else ends one says nothing of the document,
        and a refusal would stay: the machine needed memory, somebody killed it, or all stood still."""
        try:
            return await self._pool.run(asked)
        except WorkerTimeout as cut:
            if cut.reason == "wall":
                raise Unavailable("signatures") from cut
            raise
        except WorkerDied as died:
            if died.reason != _KILLED or tries == 1:
                raise
        return await self._judged(asked, tries=tries - 1)


def _unjudged(path: Path, trust: Trust, policy: Policy, at: datetime, reason: str) -> Verdict:
    return Verdict(
        indication="INDETERMINATE",
        sub_indication="GENERIC",
        reasons=(reason,),
        policy=policy.name,
        policy_version=policy.version,
        trust_version=trust.version,
        algorithm_policy=ALGORITHMS.name,
        algorithm_policy_version=ALGORITHMS.version,
        judged_for=at,
        size_bytes=path.stat().st_size,
        sha256=sha256_of(path),
    )
