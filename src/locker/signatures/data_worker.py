"""The inside of a worker that judges signatures over data: CAdES, JAdES, XAdES, ASiC."""

import logging
from pathlib import Path

import msgspec

from locker.signatures.data_request import DataRequest
from locker.signatures.judge_data import judge_data
from locker.signatures.trust_store import trust_store

logging.disable(logging.CRITICAL)


def judge(argument: bytes) -> bytes:
    request = msgspec.msgpack.decode(argument, type=DataRequest)
    # One byte more than may be: it is then too large, and no more is read.
    limit = request.policy.size_max_bytes + 1
    with Path(request.signature).open("rb") as file:
        signature = file.read(limit)
    data = None
    if request.data is not None:
        with Path(request.data).open("rb") as file:
            data = file.read(limit)
    verdict = judge_data(
        signature,
        data,
        trust_store(request.trust),
        request.policy,
        request.at,
        names=request.names,
    )
    return msgspec.msgpack.encode(verdict)
