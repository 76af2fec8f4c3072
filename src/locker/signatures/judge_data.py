"""A file with a signature over data, judged by what it is: ASiC, XAdES, CAdES or JAdES."""

from collections.abc import Sequence
from datetime import datetime

from locker.signatures.asic_container import ContainerRefused, open_container
from locker.signatures.cms_signature import Finding, failed, indeterminate
from locker.signatures.judge_opened import judge_all
from locker.signatures.open_asic import open_asic
from locker.signatures.open_cades import content_of, open_cades
from locker.signatures.open_jades import open_jades, payload_of
from locker.signatures.open_xades import has_signature, open_enveloped
from locker.signatures.schema import Policy, Verdict
from locker.signatures.trust_store import TrustStore

_XML_START = (b"<", b"\xef\xbb\xbf<")


def judge_data(
    signature: bytes,
    data: bytes | None,
    store: TrustStore,
    policy: Policy,
    at: datetime,
    *,
    names: Sequence[str] = (),
) -> Verdict:
    """``data`` is None where ``signature`` holds what it signs. ``names``: how the signature may call the data.

    The verdict's digest and size are those of the data. Never raises for a bad file.
    """
    limit = policy.size_max_bytes
    spoken_of = data if data is not None else signature
    if len(signature) > limit or (data is not None and len(data) > limit):
        return judge_all([], spoken_of, store, policy, at, against=[indeterminate("GENERIC", "too-large")])
    start = signature[:64].lstrip()
    if signature.startswith(b"PK\x03\x04"):
        return _container(signature, data, store, policy, at)
    if start.startswith(_XML_START):
        return _xml(signature, data, store, policy, at)
    if signature[:1] == b"\x30":
        held = content_of(signature)
        opened = [open_cades(signature, data, name="", certificates_max=policy.certificates_max)]
        return judge_all(opened, _first(data, held, signature), store, policy, at)
    if start[:1] == b"{" or signature.count(b".") == 2:
        objects = {name: data for name in names if data is not None}
        opened = open_jades(signature, data, name="", objects=objects.get)
        return judge_all(opened, _first(data, payload_of(signature), signature), store, policy, at)
    return judge_all([], spoken_of, store, policy, at, against=[failed("FORMAT_FAILURE", "signature-unreadable")])


def _container(signature: bytes, data: bytes | None, store: TrustStore, policy: Policy, at: datetime) -> Verdict:
    try:
        container = open_container(signature, size_max_bytes=4 * policy.size_max_bytes)
    except ContainerRefused as refused:
        return judge_all([], signature, store, policy, at, against=[_of_container(refused.reason)])
    opened = open_asic(container, certificates_max=policy.certificates_max, xml_max_bytes=policy.size_max_bytes)
    against: list[Finding] = []
    # Data beside a container is what is spoken of only where the container holds the very same.
    if data is not None and data not in container.objects.values():
        against.append(indeterminate("SIG_CONSTRAINTS_FAILURE", "not-all-covered"))
    return judge_all(opened, data if data is not None else signature, store, policy, at, against=against)


def _xml(signature: bytes, data: bytes | None, store: TrustStore, policy: Policy, at: datetime) -> Verdict:
    against: list[Finding] = []
    if data is not None:
        against.append(indeterminate("SIG_CONSTRAINTS_FAILURE", "not-all-covered"))
    if not has_signature(signature, size_max_bytes=policy.size_max_bytes):
        return judge_all([], signature, store, policy, at, against=against)
    opened = [open_enveloped(signature, name="", size_max_bytes=policy.size_max_bytes)]
    return judge_all(opened, signature, store, policy, at, against=against)


def _of_container(reason: str) -> Finding:
    if reason == "container":
        return failed("FORMAT_FAILURE", reason)
    return indeterminate("GENERIC", reason)


def _first(*candidates: bytes | None) -> bytes:
    return next(candidate for candidate in candidates if candidate is not None)
