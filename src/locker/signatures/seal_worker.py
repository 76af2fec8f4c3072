"""The inside of a worker that prepares documents for sealing: it parses what others sent, and holds no key."""

from pathlib import Path
from typing import Any

import msgspec
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.misc import PdfDecodeLimitError

from locker.signatures import fast_hex, quiet
from locker.signatures.certificate import certificate_of
from locker.signatures.check_time_stamp import against_time_stamp
from locker.signatures.document import UNREADABLE, Document
from locker.signatures.evidence import evidence_of
from locker.signatures.judge_chain import Context, judge_chain
from locker.signatures.policies import DEPOSIT
from locker.signatures.pre_gate import pre_gate
from locker.signatures.prepare import add_validation_data, new_field_name, prepare_signature, prepare_time_stamp
from locker.signatures.revocation import Evidence
from locker.signatures.seal_request import (
    Answer,
    CheckCertificate,
    CheckTimeStamp,
    FindEvidence,
    Job,
    Passed,
    Prepared,
    PrepareLater,
    PrepareSeal,
    Refused,
)
from locker.signatures.trust_store import trust_store

fast_hex.install()
quiet.install()

_PAGES_MAX = 2_000
_DEPTH_MAX = 64


def work(argument: bytes) -> bytes:
    job = msgspec.msgpack.decode(argument, type=Job)
    return msgspec.msgpack.encode(answer(job))


def answer(job: Job) -> Answer:
    match job:
        case PrepareSeal():
            return _seal(job)
        case PrepareLater():
            return _later(job)
        case CheckCertificate():
            return _check_certificate(job)
        case CheckTimeStamp():
            against = against_time_stamp(job.token, job.imprint_sha256, store=trust_store(job.trust), at=job.at)
            return Refused(reason=against) if against else Passed()
        case FindEvidence():
            return evidence_of(Document(Path(job.path).read_bytes()), trust_store(job.trust))


def _seal(job: PrepareSeal) -> Prepared | Refused:
    with Path(job.path).open("rb") as file:
        pdf = file.read(job.size_max_bytes + 1)
    try:
        if reason := pre_gate(pdf, DEPOSIT):
            return Refused(reason=reason)
        document = Document(pdf)
        if reason := _against(document, job):
            return Refused(reason=reason)
        prepared, room = prepare_signature(
            pdf,
            reserved_bytes=job.reserved_bytes,
            at=job.at,
            field_name=_free_name(document),
            reason=job.reason,
            location=job.location,
            docmdp_locked=job.docmdp_locked,
            stamp=job.stamp,
        )
    except PdfDecodeLimitError:
        return Refused(reason="too-costly")
    except UNREADABLE:
        return Refused(reason="unreadable")
    Path(job.into).write_bytes(prepared)
    return Prepared(room=room)


def _free_name(document: Document) -> str:
    taken = {name for name, _, _ in document.signature_fields()}
    return next(name for name in ("Seal", *(f"Seal{number}" for number in range(2, 100))) if name not in taken)


def _against(document: Document, job: PrepareSeal) -> str | None:
    """A seal says that the administration stands for all that a reader will show."""
    if document.encrypted:
        return "encrypted"
    if document.bytes_after_end:
        return "bytes-after-end"
    pages = document.page_count()
    if pages < 1 or (job.stamp is not None and job.stamp.page >= pages):
        return "no-pages"
    if "/DocMDP" in _permissions(document):
        return "already-certified"
    if any(True for _ in document.signature_fields()) and job.docmdp_locked:
        return "already-signed"
    _unpack_pages(document.reader.root["/Pages"])
    active, looked_at_all = document.active_content()
    if active or not looked_at_all:
        return "active-content"
    return None


def _unpack_pages(pages: Any) -> None:
    """Raises PdfDecodeLimitError for a page that a reader could not show: a bomb, which no seal should vouch for."""
    waiting, looked_at = [(pages, 0)], 0
    while waiting and looked_at < _PAGES_MAX:
        node, depth = waiting.pop()
        looked_at += 1
        if "/Kids" in node and depth < _DEPTH_MAX:
            kids = node["/Kids"]
            waiting += [(kids[index], depth + 1) for index in range(min(len(kids), _PAGES_MAX))]
        elif "/Contents" in node:
            content = node["/Contents"]
            parts = [content[i] for i in range(len(content))] if isinstance(content, generic.ArrayObject) else [content]
            for part in parts:
                _ = part.data


def _permissions(document: Document) -> frozenset[str]:
    root = document.reader.root
    return frozenset(root["/Perms"]) if "/Perms" in root else frozenset()


def _later(job: PrepareLater) -> Prepared:
    pdf = Path(job.path).read_bytes()
    if job.data is not None:
        pdf = add_validation_data(pdf, job.data)
    room = None
    if job.reserved_bytes is not None:
        name = new_field_name(pdf, job.field_prefix)
        pdf, room = prepare_time_stamp(
            pdf, reserved_bytes=job.reserved_bytes, field_name=name, digest_algorithm=job.digest_algorithm
        )
    Path(job.into).write_bytes(pdf)
    return Prepared(room=room)


def _check_certificate(job: CheckCertificate) -> Passed | Refused:
    """Not revoked as far as is known: that nothing is known of it stops no seal, it is the judge's to say later."""
    store = trust_store(job.trust)
    context = Context(
        store=store, evidence=Evidence(store.crls, store.ocsps), candidates=store.intermediates, at=job.at
    )
    judged = judge_chain(
        certificate_of(job.certificate),
        context,
        brought=[certificate_of(der) for der in job.chain],
        best_time=job.at,
        proven=False,
        revocation="if-present",
    )
    return Refused(reason=judged.finding.reason) if judged.finding else Passed()
