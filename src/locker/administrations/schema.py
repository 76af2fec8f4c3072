from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Identifier = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9]*(\.[a-z0-9]+)+$", max_length=64)]
"""Reversed domain, as ``ma.gov.interieur``. No hyphen: it stands before the first one in a document's URI."""
Name = Annotated[str, Meta(min_length=1, max_length=200)]
ClientId = Annotated[str, Meta(min_length=1, max_length=255)]
Domain = Annotated[
    str, Meta(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*\.[a-z][a-z0-9-]*[a-z0-9]$")
]
"""A name with a dot at least, in small letters; an internationalised one as it is resolved (xn--)."""
TypeCode = Annotated[str, Meta(pattern=r"^[A-Z0-9]{2,16}$")]


class Names(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    ar: Name
    fr: Name
    zgh: Name
    en: Name


class AdministrationRegistration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that holds from now on: a client, a type or a certificate that is not listed any more is taken away."""

    administration: Identifier
    names: Names
    clients: Annotated[list[ClientId], Meta(max_length=50)] = []
    types: Annotated[list[TypeCode], Meta(max_length=500)] = []
    seal_certificates: Annotated[list[Annotated[str, Meta(max_length=20_000)]], Meta(max_length=50)] = []
    """PEM, or DER in base64."""
    domains: Annotated[list[Domain], Meta(max_length=20)] = []
    """Under these it may name addresses of documents that it keeps itself."""


class SealCertificate(msgspec.Struct, frozen=True, kw_only=True):
    sha256: str
    subject: str
    not_before: datetime
    not_after: datetime


class AdministrationRegistered(msgspec.Struct, frozen=True, kw_only=True):
    administration: str
    state: Literal["active", "suspended"]
    clients: list[str]
    types: list[str]
    seal_certificates: list[SealCertificate]
    domains: list[str] = []


class Depositor(msgspec.Struct, frozen=True, kw_only=True):
    """An administration as the client that speaks for it finds it."""

    administration: str
    names: Names
    state: Literal["active", "suspended"]
    version: int
    """Moves with every change, so that what is cached of it knows."""
