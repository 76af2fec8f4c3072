"""Evidence records in XML (RFC 6283), read into the same shape as those of RFC 4998."""

import base64
import binascii
from collections.abc import Iterator
from itertools import islice

from locker.signatures.evidence_record import (
    CHAINS_MAX,
    RECORD_MAX_BYTES,
    TIME_STAMPS_MAX,
    ArchiveTimeStamp,
    Chain,
    EvidenceRecord,
    NoEvidenceRecord,
    ReducedHashtree,
    within_bounds,
)
from locker.signatures.xml_document import Element, XmlRefused, canonical, parse_xml

_NAMESPACE = "{urn:ietf:params:xml:ns:ers}"
_STAMP = f"{_NAMESPACE}ArchiveTimeStamp"
# Comments may stand between them.
_CHILDREN_MAX = 2 * CHAINS_MAX + 1
_DIGESTS = {
    "http://www.w3.org/2000/09/xmldsig#sha1": "sha1",
    "http://www.w3.org/2001/04/xmldsig-more#sha224": "sha224",
    "http://www.w3.org/2001/04/xmlenc#sha256": "sha256",
    "http://www.w3.org/2001/04/xmldsig-more#sha384": "sha384",
    "http://www.w3.org/2001/04/xmlenc#sha512": "sha512",
    "http://www.w3.org/2007/05/xmldsig-more#sha3-256": "sha3_256",
    "http://www.w3.org/2007/05/xmldsig-more#sha3-384": "sha3_384",
    "http://www.w3.org/2007/05/xmldsig-more#sha3-512": "sha3_512",
}


def read_xml(xml: bytes) -> EvidenceRecord:
    """Raises NoEvidenceRecord, whatever the bytes are."""
    try:
        root = parse_xml(xml, size_max_bytes=RECORD_MAX_BYTES)
        if root.tag != f"{_NAMESPACE}EvidenceRecord" or root.get("Version") != "1.0":
            raise NoEvidenceRecord("not an evidence record")
        if root.find(f"{_NAMESPACE}EncryptionInformation") is not None:
            raise NoEvidenceRecord("encrypted data objects are not supported")
        sequence = _one(root, "ArchiveTimeStampSequence")
        # Before anything is brought into canonical form: each chain costs the length of all before it.
        if (
            len(sequence) > _CHILDREN_MAX
            or next(islice(sequence.iter(_STAMP), TIME_STAMPS_MAX, None), None) is not None
        ):
            raise NoEvidenceRecord("more archive time stamps than are read")
        chains = [_chain(element) for element in _ordered(sequence, "ArchiveTimeStampChain")]
        # From the last one on: what comes before a chain is the sequence without it and all after it.
        for number in range(len(chains) - 1, 0, -1):
            element = _ordered(sequence, "ArchiveTimeStampChain")[number]
            method = _one(element, "CanonicalizationMethod").get("Algorithm")
            _without(sequence, element)
            first, *rest = chains[number]
            chains[number] = (_with_before(first, canonical(sequence, method)), *rest)
    except XmlRefused as fault:
        raise NoEvidenceRecord(fault.reason) from None
    except (ValueError, TypeError, KeyError, binascii.Error) as fault:
        raise NoEvidenceRecord(str(fault)[:200]) from None
    return within_bounds(EvidenceRecord(tuple(chains), "xml"))


def _chain(element: Element) -> Chain:
    algorithm = _DIGESTS[_one(element, "DigestMethod").get("Algorithm")]
    method = _one(element, "CanonicalizationMethod").get("Algorithm")
    return tuple(_time_stamp(each, algorithm, method) for each in _ordered(element, "ArchiveTimeStamp"))


def _time_stamp(element: Element, algorithm: str, method: str) -> ArchiveTimeStamp:
    tree = element.find(f"{_NAMESPACE}HashTree")
    groups: ReducedHashtree = ()
    if tree is not None:
        groups = tuple(
            tuple(_decoded(value) for value in sequence.iterfind(f"{_NAMESPACE}DigestValue"))
            for sequence in _ordered(tree, "Sequence")
        )
    stamp = _one(element, "TimeStamp")
    token = _one(stamp, "TimeStampToken")
    if token.get("Type") != "RFC3161":
        raise NoEvidenceRecord("a time stamp of another kind")
    return ArchiveTimeStamp(
        digest_algorithm=algorithm,
        reduced_hashtree=groups,
        token=_decoded(token),
        renewed=canonical(stamp, method),
    )


def _with_before(first: ArchiveTimeStamp, before: bytes) -> ArchiveTimeStamp:
    return ArchiveTimeStamp(
        digest_algorithm=first.digest_algorithm,
        reduced_hashtree=first.reduced_hashtree,
        token=first.token,
        renewed=first.renewed,
        before=before,
    )


def _one(parent: Element, name: str) -> Element:
    found = parent.findall(f"{_NAMESPACE}{name}")
    if len(found) != 1:
        raise NoEvidenceRecord(f"{name}: exactly one")
    return found[0]


def _ordered(parent: Element, name: str) -> list[Element]:
    """By their attribute, which must count from one (§3.1.2)."""
    found = sorted(parent.iterfind(f"{_NAMESPACE}{name}"), key=_order)
    if [_order(element) for element in found] != list(range(1, len(found) + 1)):
        raise NoEvidenceRecord(f"{name}: out of order")
    return found


def _order(element: Element) -> int:
    text = element.get("Order") or ""
    if not (text.isascii() and text.isdigit() and len(text) < 6):
        raise NoEvidenceRecord("no order")
    return int(text)


def _decoded(element: Element) -> bytes:
    return base64.b64decode("".join(_texts(element)), validate=True)


def _texts(element: Element) -> Iterator[str]:
    """Of the element itself, comments apart; white space is none of base64's."""
    if len([child for child in element if isinstance(child.tag, str)]):
        raise NoEvidenceRecord("elements where a value should be")
    yield from "".join([element.text or "", *(child.tail or "" for child in element)]).split()


def _without(parent: Element, child: Element) -> None:
    """White space after a chain stays where it is: it is part of what was hashed."""
    if child.tail:
        before = child.getprevious()
        if before is not None:
            before.tail = (before.tail or "") + child.tail
        else:
            parent.text = (parent.text or "") + child.tail
        child.tail = None
    parent.remove(child)
