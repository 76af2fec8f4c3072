"""The inside of a worker that judges: ``kit.workers`` calls ``judge`` with one request after another."""

from pathlib import Path

import msgspec

from locker.signatures import fast_hex, quiet
from locker.signatures.judge_data import is_signed_data, judge_data
from locker.signatures.judge_document import judge_document
from locker.signatures.trust_store import trust_store, trust_store_at
from locker.signatures.worker_request import Request

fast_hex.install()
quiet.install()


def judge(argument: bytes) -> bytes:
    request = msgspec.msgpack.decode(argument, type=Request)
    with Path(request.path).open("rb") as file:
        # One byte more than may be: the pre-gate then says too large, and no more is read.
        pdf = file.read(request.policy.size_max_bytes + 1)
    store = trust_store_at(request.trust_path) if request.trust_path else trust_store(request.trust)
    if request.signature is not None:
        with Path(request.signature).open("rb") as file:
            signature = file.read(request.policy.size_max_bytes + 1)
        verdict = judge_data(signature, pdf, store, request.policy, request.at, known_until=request.known_until)
    elif request.any_format and is_signed_data(pdf):
        verdict = judge_data(pdf, None, store, request.policy, request.at, known_until=request.known_until)
    else:
        verdict = judge_document(pdf, store, request.policy, request.at, request.known_until)
    return msgspec.msgpack.encode(verdict)
