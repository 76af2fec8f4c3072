"""XML from outside, parsed: UTF-8, without a document type, without entities, without a network, of a known size.

The only seat of lxml, with ``xml_signature``. What ends here was refused before libxml2 saw it, where that is possible.
"""

import re
from typing import Any

from lxml import etree

_BOM = b"\xef\xbb\xbf"
_DECLARATION = re.compile(rb"<\?xml\s[^>]{0,200}?\?>")
_ENCODING = re.compile(rb"encoding\s*=\s*[\"']([A-Za-z0-9._-]+)[\"']")
_DEPTH_MAX = 64

Element = Any
"""An element of lxml, which has no types of its own."""


class XmlRefused(ValueError):
    """``reason`` is a stable code: ``too-large``, ``not-xml``, ``document-type``, ``encoding``, ``too-deep``."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def xml_parser() -> Any:
    """For bytes of which ``check_xml`` knows nothing bad. Comments stay: they may be signed."""
    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        encoding="utf-8",
    )


def parse_xml(xml: bytes, *, size_max_bytes: int) -> Element:
    """The root element. XmlRefused for anything that could mean something else to another parser."""
    check_xml(xml, size_max_bytes=size_max_bytes)
    try:
        root = etree.fromstring(xml, parser=xml_parser())
    except (etree.XMLSyntaxError, ValueError):
        raise XmlRefused("not-xml") from None
    information = root.getroottree().docinfo
    if information.doctype or information.internalDTD is not None or information.externalDTD is not None:
        raise XmlRefused("document-type")
    if next(root.iter(etree.Entity), None) is not None:
        raise XmlRefused("document-type")
    _check_depth(root)
    return root


def check_xml(xml: bytes, *, size_max_bytes: int) -> None:
    if len(xml) > size_max_bytes:
        raise XmlRefused("too-large")
    text = xml.removeprefix(_BOM).lstrip(b" \t\r\n")
    # UTF-16 and EBCDIC begin otherwise; in them a document type would hide from the next line.
    if not text.startswith(b"<") or b"\x00" in text:
        raise XmlRefused("encoding" if b"\x00" in text[:64] or xml[:2] in (b"\xff\xfe", b"\xfe\xff") else "not-xml")
    declaration = _DECLARATION.match(text)
    if text.startswith(b"<?xml") and declaration is None:
        raise XmlRefused("not-xml")
    if declaration:
        encoding = _ENCODING.search(declaration[0])
        if encoding and encoding[1].lower() not in (b"utf-8", b"us-ascii", b"ascii"):
            raise XmlRefused("encoding")
    # In a CDATA section it would mean nothing, and nobody signs such a thing.
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        raise XmlRefused("document-type")


def _check_depth(root: Element) -> None:
    depth = 0
    for event, _ in etree.iterwalk(root, events=("start", "end")):
        depth += 1 if event == "start" else -1
        if depth > _DEPTH_MAX:
            raise XmlRefused("too-deep")


_CANONICAL = {
    "http://www.w3.org/TR/2001/REC-xml-c14n-20010315": (False, False),
    "http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments": (False, True),
    "http://www.w3.org/2001/10/xml-exc-c14n#": (True, False),
    "http://www.w3.org/2001/10/xml-exc-c14n#WithComments": (True, True),
}


def canonical(element: Element, method: str | None) -> bytes:
    """ValueError for a method that is none of ours."""
    if method not in _CANONICAL:
        raise ValueError("canonicalization method")
    exclusive, with_comments = _CANONICAL[method]
    # As a document of its own, with the namespaces around it: of a part of one, libxml2 loses the default namespace.
    alone = etree.fromstring(etree.tostring(element, with_tail=False), parser=xml_parser())
    canonical_form: bytes = etree.tostring(alone, method="c14n", exclusive=exclusive, with_comments=with_comments)
    return canonical_form
