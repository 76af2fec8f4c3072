"""What the two sides of sealing say to each other; imported by both, so it imports no parser."""

from datetime import datetime

import msgspec


class Stamp(msgspec.Struct, frozen=True, kw_only=True):
    """A visible seal in ``box`` (left, bottom, right, top in points) on ``page`` (0 is the first).

    ``arabic_text`` above, ``text`` below, lines apart by a line feed, as large as ``box`` permits up to ``font_size``
    points; ``qr`` is what a code beside them says.
    """

    text: str
    box: tuple[int, int, int, int]
    page: int = 0
    arabic_text: str = ""
    qr: str | None = None
    font_size: int = 9


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """Where in the file the container goes (its angle brackets included), and the digest of everything else: SHA-256
    unless another was asked for."""

    start: int
    end: int
    digest: bytes


class ValidationData(msgspec.Struct, frozen=True, kw_only=True):
    """DER, for a DSS dictionary (EN 319 142-1 §5.4.2)."""

    certificates: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()
    ocsps: tuple[bytes, ...] = ()


class PrepareSeal(msgspec.Struct, frozen=True, kw_only=True, tag="seal"):
    path: str
    into: str
    size_max_bytes: int
    reserved_bytes: int
    at: datetime
    reason: str | None
    location: str | None
    docmdp_locked: bool
    stamp: Stamp | None


class PrepareLater(msgspec.Struct, frozen=True, kw_only=True, tag="later"):
    """``data`` in a revision of its own, then room for a document time stamp; either may be left out."""

    path: str
    into: str
    data: ValidationData | None
    reserved_bytes: int | None
    field_prefix: str
    digest_algorithm: str


class CheckCertificate(msgspec.Struct, frozen=True, kw_only=True, tag="certificate"):
    """May this certificate seal now? ``trust`` is an encoded ``Trust``, here and below."""

    certificate: bytes
    chain: tuple[bytes, ...]
    trust: bytes
    at: datetime


class CheckTimeStamp(msgspec.Struct, frozen=True, kw_only=True, tag="time-stamp"):
    """A fresh token over ``imprint_sha256``: will it be believed?"""

    token: bytes
    imprint_sha256: bytes
    trust: bytes
    at: datetime


class FindEvidence(msgspec.Struct, frozen=True, kw_only=True, tag="evidence"):
    """Whose status must be known for the signatures and time stamps of a document."""

    path: str
    trust: bytes


Job = PrepareSeal | PrepareLater | CheckCertificate | CheckTimeStamp | FindEvidence


class Prepared(msgspec.Struct, frozen=True, kw_only=True, tag="prepared"):
    room: Room | None


class Passed(msgspec.Struct, frozen=True, kw_only=True, tag="passed"):
    pass


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate whose status must be known: what the trust register holds of it, and where to ask."""

    certificate: bytes
    issuer: bytes
    known: ValidationData
    ocsp_urls: tuple[str, ...]
    crl_urls: tuple[str, ...]


class Evidence(msgspec.Struct, frozen=True, kw_only=True, tag="evidence"):
    links: tuple[Link, ...]
    certificates: tuple[bytes, ...]
    """Of all chains, anchors included."""


class Refused(msgspec.Struct, frozen=True, kw_only=True, tag="refused"):
    """``reason`` is a code of ``reasons.REASONS``."""

    reason: str


Answer = Prepared | Passed | Evidence | Refused
