from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from locker.trust.list_schema import ListShown

Encoded = Annotated[str, Meta(max_length=20_000_000)]
Purpose = Literal["any", "time-stamp", "ocsp"]
MaterialKind = Literal["certificate", "crl", "ocsp"]


class TrustAddition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Each entry is PEM, or DER in base64. What is there already stays."""

    anchors: Annotated[list[Encoded], Meta(max_length=1_000)] = []
    time_stamp_anchors: Annotated[list[Encoded], Meta(max_length=1_000)] = []
    responders: Annotated[list[Encoded], Meta(max_length=1_000)] = []
    """OCSP responders that no anchor vouches for."""
    intermediates: Annotated[list[Encoded], Meta(max_length=1_000)] = []
    crls: Annotated[list[Encoded], Meta(max_length=1_000)] = []
    """A newer one of an issuer takes the older one's place."""
    ocsps: Annotated[list[Encoded], Meta(max_length=10_000)] = []


class Anchor(msgspec.Struct, frozen=True, kw_only=True):
    sha256: bytes
    purpose: Purpose
    der: bytes
    subject: str
    not_after: datetime


class Material(msgspec.Struct, frozen=True, kw_only=True):
    sha256: bytes
    kind: MaterialKind
    der: bytes
    issuer: str
    this_update: datetime | None
    next_update: datetime | None


class TrustShown(msgspec.Struct, frozen=True, kw_only=True):
    version: int
    anchors: list["AnchorShown"]
    materials: dict[str, int]
    """Kind → how many."""
    lists: list[ListShown] = []


class AnchorShown(msgspec.Struct, frozen=True, kw_only=True):
    sha256: str
    purpose: Purpose
    subject: str
    not_after: datetime
