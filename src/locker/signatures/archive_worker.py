"""The inside of a worker that makes a document ready for an archive time stamp; it knows no key and no network."""

import logging
from pathlib import Path

import msgspec

from locker.signatures import fast_hex
from locker.signatures.archive_request import Request
from locker.signatures.document import Document
from locker.signatures.evidence import evidence_of
from locker.signatures.prepare import add_validation_data, new_field_name, prepare_time_stamp
from locker.signatures.seal_request import Evidence, ValidationData
from locker.signatures.trust_store import trust_store

fast_hex.install()
logging.disable(logging.CRITICAL)

FIELD = "ArchiveTimeStamp"


def prepare(argument: bytes) -> bytes:
    request = msgspec.msgpack.decode(argument, type=Request)
    pdf = Path(request.source).read_bytes()
    pdf = add_validation_data(pdf, _known(evidence_of(Document(pdf), trust_store(request.trust))))
    prepared, room = prepare_time_stamp(
        pdf,
        reserved_bytes=request.reserved_bytes,
        field_name=new_field_name(pdf, FIELD),
        digest_algorithm=request.digest_algorithm,
    )
    Path(request.target).write_bytes(prepared)
    return msgspec.msgpack.encode(room)


def _known(evidence: Evidence) -> ValidationData:
    """What the trust register holds of it: nothing is asked for here."""
    return ValidationData(
        certificates=evidence.certificates,
        crls=tuple(dict.fromkeys(crl for link in evidence.links for crl in link.known.crls)),
        ocsps=tuple(dict.fromkeys(ocsp for link in evidence.links for ocsp in link.known.ocsps)),
    )
