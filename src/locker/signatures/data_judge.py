"""Ask for a verdict on a signature over data. As for PDFs, this side never parses what it was given."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from kit.workers import WorkerFailed, WorkerFault, WorkerPool
from locker.signatures.data_request import DataRequest
from locker.signatures.judge import encoded_trust, unjudged
from locker.signatures.schema import Policy, Trust, Verdict

_MIB = 1024 * 1024


def data_workers(
    *,
    workers: int = 1,
    waiting_max: int = 32,
    address_space_bytes: int = 1024 * _MIB,
    cpu_s: int = 5,
    wall_s: float = 10.0,
    jobs_max: int = 500,
) -> WorkerPool:
    return WorkerPool(
        "data signatures",
        target="locker.signatures.data_worker:judge",
        workers=workers,
        waiting_max=waiting_max,
        address_space_bytes=address_space_bytes,
        cpu_s=cpu_s,
        wall_s=wall_s,
        jobs_max=jobs_max,
    )


class DataJudge:
    """Judges CAdES, JAdES, XAdES and ASiC with a pool of workers; ``pool`` is closed by who made it."""

    def __init__(self, pool: WorkerPool) -> None:
        self._pool = pool

    async def validate(
        self,
        signature: Path,
        data: Path | None,
        *,
        trust: Trust,
        policy: Policy,
        names: tuple[str, ...] = (),
        at: datetime | None = None,
    ) -> Verdict:
        """``data`` is None where ``signature`` holds what it signs; ``names``: how the signature may call the data.

        Never raises for a bad file. Raises Unavailable when too many wait, and OSError when a path cannot be read.
        """
        moment = at or datetime.now(UTC)
        request = DataRequest(
            signature=str(signature.absolute()),
            data=str(data.absolute()) if data else None,
            names=names,
            policy=policy,
            trust=encoded_trust(trust),
            at=moment,
        )
        try:
            answer = await self._pool.run(msgspec.msgpack.encode(request))
        except WorkerFailed as failure:
            reason = "not-judged" if isinstance(failure, WorkerFault) else "too-costly"
            return await asyncio.to_thread(unjudged, data or signature, trust, policy, moment, reason)
        return msgspec.msgpack.decode(answer, type=Verdict)
