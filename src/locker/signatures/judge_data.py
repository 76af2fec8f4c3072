"""A file with a signature over data, judged by what it is: ASiC, XAdES, CAdES or JAdES."""

import functools
import re
from collections.abc import Callable, Sequence
from datetime import datetime

from locker.signatures.asic_container import PDF_START as _PDF
from locker.signatures.asic_container import PDF_WITHIN, ContainerRefused, open_container
from locker.signatures.cms_signature import Finding, failed, indeterminate
from locker.signatures.judge_opened import judge_all
from locker.signatures.open_asic import open_asic
from locker.signatures.open_cades import content_of, open_cades
from locker.signatures.open_jades import open_jades, payload_of
from locker.signatures.open_xades import has_signature, open_enveloped
from locker.signatures.schema import Policy, Verdict
from locker.signatures.trust_store import TrustStore

_XML_START = (b"<", b"\xef\xbb\xbf<")
_XMLDSIG = b"http://www.w3.org/2000/09/xmldsig#"
_ASIC = b"application/vnd.etsi.asic-"
_SIGNED_DATA = bytes.fromhex("2a864886f70d010702")
_COMPACT = re.compile(rb"\s*[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]{16,}\s*")


_Judged = Callable[..., Verdict]
"""``judge_all`` for one trust, policy and time."""


def is_signed_data(data: bytes) -> bool:
    """Does this look like a signature of one of these forms? Anything else is for whoever judges PDFs."""
    start = data[:64].lstrip()
    return (
        (data.startswith(b"PK\x03\x04") and _ASIC in data[:128])
        or (start.startswith(_XML_START) and _XMLDSIG in data)
        or (data[:1] == b"\x30" and _SIGNED_DATA in data[:32])
        or (start[:1] == b"{" and b'"protected"' in data and b'"signature' in data)
        or _COMPACT.fullmatch(data) is not None
    )


def judge_data(
    signature: bytes,
    data: bytes | None,
    store: TrustStore,
    policy: Policy,
    at: datetime,
    *,
    names: Sequence[str] = (),
    known_until: datetime | None = None,
) -> Verdict:
    """``data`` is None where ``signature`` holds what it signs. ``names``: how the signature may call the data.

    The verdict's digest and size are those of the data. Never raises for a bad file.
    """
    limit = policy.size_max_bytes
    judged = functools.partial(judge_all, store=store, policy=policy, at=at, known_until=known_until)
    spoken_of = data if data is not None else signature
    if len(signature) > limit or (data is not None and len(data) > limit):
        return judged([], spoken_of, against=[indeterminate("GENERIC", "too-large")])
    start = signature[:64].lstrip()
    # Neither has such bytes of its own; a reader of PDFs would show what nobody signed.
    if start.startswith((*_XML_START, b"{")) and _PDF in signature[:PDF_WITHIN]:
        return judged([], spoken_of, against=[failed("FORMAT_FAILURE", "unreadable")])
    if signature.startswith(b"PK\x03\x04"):
        return _container(signature, data, policy, judged)
    if start.startswith(_XML_START):
        return _xml(signature, data, policy, judged)
    if signature[:1] == b"\x30":
        held = content_of(signature)
        opened = [open_cades(signature, data, name="", certificates_max=policy.certificates_max)]
        return judged(opened, _first(data, held, signature))
    if start[:1] == b"{" or signature.count(b".") == 2:
        objects = {name: data for name in names if data is not None}
        opened = open_jades(signature, data, name="", objects=objects.get)
        return judged(opened, _first(data, payload_of(signature), signature))
    return judged([], spoken_of, against=[failed("FORMAT_FAILURE", "signature-unreadable")])


def _container(signature: bytes, data: bytes | None, policy: Policy, judged: _Judged) -> Verdict:
    try:
        container = open_container(signature, size_max_bytes=4 * policy.size_max_bytes)
    except ContainerRefused as refused:
        return judged([], signature, against=[_of_container(refused.reason)])
    opened = open_asic(container, certificates_max=policy.certificates_max, xml_max_bytes=policy.size_max_bytes)
    against: list[Finding] = []
    # Data beside a container is what is spoken of only where the container holds the very same.
    if data is not None and data not in container.objects.values():
        against.append(indeterminate("SIG_CONSTRAINTS_FAILURE", "not-all-covered"))
    return judged(opened, data if data is not None else signature, against=against)


def _xml(signature: bytes, data: bytes | None, policy: Policy, judged: _Judged) -> Verdict:
    against: list[Finding] = []
    if data is not None:
        against.append(indeterminate("SIG_CONSTRAINTS_FAILURE", "not-all-covered"))
    if not has_signature(signature, size_max_bytes=policy.size_max_bytes):
        return judged([], signature, against=against)
    opened = [open_enveloped(signature, name="", size_max_bytes=policy.size_max_bytes)]
    return judged(opened, signature, against=against)


def _of_container(reason: str) -> Finding:
    if reason == "container":
        return failed("FORMAT_FAILURE", reason)
    return indeterminate("GENERIC", reason)


def _first(*candidates: bytes | None) -> bytes:
    return next(candidate for candidate in candidates if candidate is not None)
