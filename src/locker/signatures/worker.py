"""The inside of a worker that judges: ``kit.workers`` calls ``judge`` with one request after another."""

import logging
from pathlib import Path

import msgspec

from locker.signatures import dangling_references, fast_hex
from locker.signatures.judge_document import judge_document
from locker.signatures.trust_store import trust_store
from locker.signatures.worker_request import Request

fast_hex.install()
dangling_references.install()
# pyHanko logs each rejection with a traceback; the verdict says it, and formatting costs more than judging.
logging.disable(logging.CRITICAL)


def judge(argument: bytes) -> bytes:
    request = msgspec.msgpack.decode(argument, type=Request)
    with Path(request.path).open("rb") as file:
        # One byte more than may be: the pre-gate then says too large, and no more is read.
        pdf = file.read(request.policy.size_max_bytes + 1)
    verdict = judge_document(pdf, trust_store(request.trust), request.policy, request.at, request.known_until)
    return msgspec.msgpack.encode(verdict)
