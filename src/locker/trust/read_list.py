"""Have a trust list read by a worker process: whoever controls its address must not make us pay for its XML."""

import msgspec

from kit.workers import WorkerFailed, WorkerPool
from locker.signatures.trust_list_request import ListAnswer, ListRequest
from locker.signatures.trust_list_schema import LIST_MAX_BYTES

_GIB = 1024 * 1024 * 1024


def list_workers(*, cpu_s: int = 60, wall_s: float = 120.0, address_space_bytes: int = 2 * _GIB) -> WorkerPool:
    """Closed by who made it. A list of 300 kB costs 0.3 s, one of ten megabytes about as many seconds."""
    return WorkerPool(
        "trust lists",
        target="locker.signatures.trust_list_worker:read",
        workers=1,
        waiting_max=4,
        address_space_bytes=address_space_bytes,
        cpu_s=cpu_s,
        wall_s=wall_s,
        jobs_max=100,
        answer_max_bytes=2 * LIST_MAX_BYTES,
    )


async def read_list(
    pool: WorkerPool, xml: bytes, signers: tuple[bytes, ...], *, size_max_bytes: int = LIST_MAX_BYTES
) -> ListAnswer:
    """Never raises for a bad list. Raises Unavailable when too many wait."""
    request = ListRequest(xml=xml, signers=signers, size_max_bytes=size_max_bytes)
    try:
        answer = await pool.run(msgspec.msgpack.encode(request))
    except WorkerFailed:
        return ListAnswer(refused="too-costly")
    return msgspec.msgpack.decode(answer, type=ListAnswer)
