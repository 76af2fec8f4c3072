"""Names out of certificates, made safe to show."""

import functools
import unicodedata
from typing import Any

from asn1crypto import x509

from locker.signatures.certificate import Certificate
from locker.signatures.schema import PartyName

_LENGTH_MAX = 200
# Joiners shape letters of Arabic and Persian names; every other format character hides or reorders.
_JOINERS = {"\u200c", "\u200d"}


def clean(text: str | bytes, *, length_max: int = _LENGTH_MAX) -> str:
    """Without controls, bidirectional marks, invisible characters, private and unassigned ones; spaces collapsed."""
    if isinstance(text, bytes):
        # A PDF string that is no text.
        text = text.decode("latin-1")
    kept = "".join(
        character
        if unicodedata.category(character)[0] != "C" or character in _JOINERS
        else " " * (character in "\t\r\n")
        for character in unicodedata.normalize("NFC", text[: 4 * length_max])
    )
    kept = " ".join(kept.split())
    return kept if len(kept) <= length_max else kept[: length_max - 1] + "…"


@functools.lru_cache(maxsize=1024)
def party_name(certificate: Certificate) -> PartyName:
    return shown(certificate.asn1.subject)


@functools.lru_cache(maxsize=1024)
def issuer_name(certificate: Certificate) -> PartyName:
    return shown(certificate.asn1.issuer)


def shown(name: x509.Name) -> PartyName:
    parts: dict[str, str] = {}
    for rdn in name.chosen:
        for pair in rdn:
            value: Any = pair["value"].native
            kind = pair["type"].native
            if isinstance(value, str) and kind not in parts:
                parts[kind] = clean(value)
    common_name = parts.get("common_name")
    organisation = parts.get("organization_name")
    display = common_name or organisation or parts.get("pseudonym") or next(iter(parts.values()), "")
    return PartyName(
        display=display,
        common_name=common_name,
        organisation=organisation,
        organisation_identifier=parts.get("organization_identifier"),
        country=parts.get("country_name"),
    )
