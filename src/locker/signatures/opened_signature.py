"""A signature over data, opened: what a judge needs to know of a CAdES, JAdES or XAdES signature, whichever it is."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal

import msgspec

from locker.signatures.certificate import Certificate
from locker.signatures.cms_signature import Finding, Imprint

Format = Literal["CAdES", "JAdES", "XAdES"]
DataObject = Callable[[str], bytes | None]
"""The address that a signature writes → the bytes that stand there in this deposit, never elsewhere."""


class OpenedSignature(msgspec.Struct, frozen=True, kw_only=True):
    """``findings`` are what structure and mathematics say against it; with any, nothing else of it is believed."""

    name: str
    format: Format
    signer: Certificate | None = None
    brought: tuple[Certificate, ...] = ()
    findings: tuple[Finding, ...] = ()
    names_certificate: bool = False
    """The signed attributes name the signer's certificate by its digest: without it the level is none of ETSI's."""
    covers_everything: bool = True
    digest_algorithm: str | None = None
    signature_algorithm: str | None = None
    claimed_time: datetime | None = None
    stamps: tuple[tuple[Any, Imprint], ...] = ()
    """Signature time stamps: CMS SignedData, and what each must be about."""
    broken_stamps: int = 0
    crls: tuple[bytes, ...] = ()
    ocsps: tuple[bytes, ...] = ()
    remarks: tuple[str, ...] = ()
