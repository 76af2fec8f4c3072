"""The signatures of an ASiC container (ETSI EN 319 162-1): each must cover every object that the container holds."""

import base64
import re
from collections.abc import Iterable
from urllib.parse import unquote

import msgspec

from locker.signatures.asic_container import Container
from locker.signatures.cms_signature import Finding, digest_of, failed, indeterminate
from locker.signatures.judge_opened import unreadable_signature
from locker.signatures.open_cades import open_cades
from locker.signatures.open_xades import open_detached
from locker.signatures.opened_signature import OpenedSignature
from locker.signatures.xml_document import Element, XmlRefused, parse_xml
from locker.signatures.xml_signature import DS

_ASIC = "{http://uri.etsi.org/02918/v1.2.1#}"
_XADES_FILE = re.compile(r"META-INF/[^/]*signatures[^/]*\.xml", re.IGNORECASE)
_CADES_FILE = re.compile(r"META-INF/[^/]*\.p7[sm]", re.IGNORECASE)
_MANIFEST = re.compile(r"META-INF/ASiCManifest[^/]*\.xml", re.IGNORECASE)
_UNSIGNED = re.compile(r"META-INF/(?:manifest|container|metadata)\.xml", re.IGNORECASE)
_DIGESTS = {
    "http://www.w3.org/2001/04/xmlenc#sha256": "sha256",
    "http://www.w3.org/2001/04/xmldsig-more#sha384": "sha384",
    "http://www.w3.org/2001/04/xmlenc#sha512": "sha512",
}
_REFERENCES_MAX = 1_000


def open_asic(container: Container, *, certificates_max: int, xml_max_bytes: int) -> list[OpenedSignature]:
    found: list[OpenedSignature] = []
    known: set[str] = set()
    for name, content in container.meta.items():
        if _XADES_FILE.fullmatch(name):
            known.add(name)
            opened, covered = open_detached(
                content, lambda uri: container.objects.get(_path(uri)), name=name, size_max_bytes=xml_max_bytes
            )
            found.append(_covering(opened, (_path(uri) for uri in covered), container))
        elif _CADES_FILE.fullmatch(name):
            known.add(name)
            found.append(_cades(name, content, container, certificates_max=certificates_max))
        elif _MANIFEST.fullmatch(name) or _UNSIGNED.fullmatch(name):
            known.add(name)
    # A file that hides among the signatures is an object like any other, and nobody signed it.
    if container.meta.keys() - known:
        found = [msgspec.structs.replace(opened, covers_everything=False) for opened in found]
    return found


def _cades(name: str, signature: bytes, container: Container, *, certificates_max: int) -> OpenedSignature:
    """Over the manifest that names it (§4.4.3), or in the simple form over the one object."""
    manifests = [
        (content, read)
        for path, content in container.meta.items()
        if _MANIFEST.fullmatch(path) and (read := _manifest(content)) and read[0] == name
    ]
    if not manifests and len(container.objects) == 1:
        (only,) = container.objects.items()
        opened = open_cades(signature, only[1], name=name, certificates_max=certificates_max)
        return _covering(opened, [only[0]], container)
    if len(manifests) != 1:
        return unreadable_signature(name, "CAdES", "container")
    content, (_, stated) = manifests[0]
    opened = open_cades(signature, content, name=name, certificates_max=certificates_max)
    against = [_against(path, algorithm, value, container) for path, algorithm, value in stated]
    findings = (*opened.findings, *(finding for finding in against if finding))
    covering = _covering(opened, (path for path, _, _ in stated), container)
    return msgspec.structs.replace(covering, findings=findings)


def _covering(opened: OpenedSignature, covered: Iterable[str], container: Container) -> OpenedSignature:
    everything = container.objects.keys() <= set(covered) and bool(container.objects)
    return msgspec.structs.replace(opened, covers_everything=everything)


def _manifest(content: bytes) -> tuple[str, list[tuple[str, str, bytes]]] | None:
    """The signature that it belongs to; and path, digest algorithm and digest of each object."""
    try:
        root = parse_xml(content, size_max_bytes=1_000_000)
        reference = root.find(f"{_ASIC}SigReference")
        if root.tag != f"{_ASIC}ASiCManifest" or reference is None:
            return None
        objects = root.findall(f"{_ASIC}DataObjectReference")[: _REFERENCES_MAX + 1]
        return _path(reference.get("URI", "")), [_stated(one) for one in objects]
    except (XmlRefused, ValueError, AttributeError):
        return None


def _stated(reference: Element) -> tuple[str, str, bytes]:
    algorithm = reference.find(f"{DS}DigestMethod").get("Algorithm", "")
    return (
        _path(reference.get("URI", "")),
        _DIGESTS.get(algorithm, ""),
        base64.b64decode(reference.findtext(f"{DS}DigestValue") or "", validate=True),
    )


def _against(path: str, algorithm: str, value: bytes, container: Container) -> Finding | None:
    if not algorithm:
        return indeterminate("CRYPTO_CONSTRAINTS_FAILURE", "digest-algorithm")
    content = container.objects.get(path)
    if content is None:
        return failed("FORMAT_FAILURE", "data-missing")
    return None if digest_of(algorithm, content) == value else failed("HASH_FAILURE", "document-altered")


def _path(uri: str) -> str:
    """Relative to the container's root (§A.6); anything that is not is no path of it."""
    return unquote(uri.removeprefix("/"), errors="strict")
