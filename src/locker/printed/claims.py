"""The claims of a printed copy as CBOR labels: those of a CWT (RFC 8392 §3.1) where it has them, short names else."""

from datetime import UTC, date, datetime
from typing import Any

import msgspec

from locker.printed.cose import NotAuthentic
from locker.printed.schema import Claims

_ISS, _IAT, _CTI = 1, 6, 7


def to_labels(claims: Claims) -> dict[int | str, Any]:
    labels: dict[int | str, Any] = {
        _ISS: claims.issuer,
        _IAT: int(claims.printed_at.timestamp()),
        _CTI: claims.printed_id.encode("ascii"),
        "a": claims.administration,
        "t": claims.type,
        "h": bytes.fromhex(claims.sha256),
        "f": claims.fields,
    }
    if claims.valid_until is not None:
        labels["u"] = claims.valid_until.isoformat()
    return labels


def from_labels(labels: dict[int | str, Any]) -> Claims:
    """NotAuthentic("claims") for what we never sign."""
    try:
        return Claims(
            issuer=_text(labels[_ISS]),
            printed_id=labels[_CTI].decode("ascii"),
            printed_at=datetime.fromtimestamp(labels[_IAT], UTC),
            administration=_text(labels["a"]),
            type=_text(labels["t"]),
            valid_until=date.fromisoformat(labels["u"]) if "u" in labels else None,
            sha256=labels["h"].hex(),
            fields=msgspec.convert(labels["f"], dict[str, Any]),
        )
    except (KeyError, ValueError, TypeError, AttributeError, OverflowError, msgspec.ValidationError):
        raise NotAuthentic("claims") from None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("text is expected")
    return value
