"""Names out of certificates, made safe to show."""

import unicodedata
from typing import Any

from asn1crypto import x509

from locker.signatures.schema import PartyName

_LENGTH_MAX = 200
# Joiners shape letters of Arabic and Persian names; every other format character hides or reorders.
_JOINERS = {"\u200c", "\u200d"}


def clean(text: str, *, length_max: int = _LENGTH_MAX) -> str:
    """Without controls, bidirectional marks, invisible characters, private and unassigned ones; spaces collapsed."""
    shown = "".join(
        character
        if unicodedata.category(character)[0] != "C" or character in _JOINERS
        else " " * (character in "\t\r\n")
        for character in unicodedata.normalize("NFC", text[: 4 * length_max])
    )
    shown = " ".join(shown.split())
    return shown if len(shown) <= length_max else shown[: length_max - 1] + "…"


def party_name(name: x509.Name) -> PartyName:
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
