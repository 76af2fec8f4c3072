"""The inside of a worker that reads trust lists: they come from outside, and XML can be made to cost."""

import msgspec

from locker.signatures.trust_list import ListRefused, read_pivots, read_trust_list
from locker.signatures.trust_list_request import ListAnswer, ListRequest
from locker.signatures.xml_document import XmlRefused
from locker.signatures.xml_signature import SignatureRefused


def read(argument: bytes) -> bytes:
    return msgspec.msgpack.encode(_read(msgspec.msgpack.decode(argument, type=ListRequest)))


def _read(request: ListRequest) -> ListAnswer:
    try:
        found = read_trust_list(request.xml, request.signers, size_max_bytes=request.size_max_bytes)
    except SignatureRefused as refused:
        pivots = read_pivots(request.xml) if refused.reason == "other-signer" else ()
        return ListAnswer(refused=refused.reason, pivots=pivots)
    except (XmlRefused, ListRefused) as refused:
        return ListAnswer(refused=refused.reason)
    return ListAnswer(found=found)
