"""Which algorithms count until when: a dated table (ETSI TS 119 312, SOG-IS), by the time that can be proven."""

from datetime import UTC, datetime
from typing import Literal

AlgorithmPolicy = Literal["2026.1"]

_NEVER = datetime.max.replace(tzinfo=UTC)


def _day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


DIGEST_UNTIL: dict[str, datetime] = {
    "md5": _day("2004-08-18"),
    "sha1": _day("2012-08-01"),
    "ripemd160": _day("2014-08-01"),
    "sha224": _day("2029-01-01"),
    "sha256": _NEVER,
    "sha384": _NEVER,
    "sha512": _NEVER,
    "sha3_256": _NEVER,
    "sha3_384": _NEVER,
    "sha3_512": _NEVER,
    "shake256": _NEVER,
}

# (kind, at least this many bits) → until; the first that fits, longest first.
_KEY_UNTIL: list[tuple[str, int, datetime]] = [
    ("rsa", 3000, _NEVER),
    ("rsa", 1900, _day("2031-01-01")),
    ("rsa", 1024, _day("2010-01-01")),
    ("ec", 256, _NEVER),
    ("ec", 224, _day("2021-01-01")),
    ("ec", 160, _day("2012-08-01")),
    ("ed25519", 0, _NEVER),
    ("ed448", 0, _NEVER),
    ("dsa", 3072, _day("2029-01-01")),
    ("dsa", 2048, _day("2021-01-01")),
]


def digest_until(name: str) -> datetime | None:
    """The end of this digest's time, or None where it never counted."""
    return DIGEST_UNTIL.get(name.lower().replace("-", ""))


def key_until(kind: str, bits: int) -> datetime | None:
    return next((until for known, least, until in _KEY_UNTIL if known == kind and bits >= least), None)
