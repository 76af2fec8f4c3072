"""A receipt that its holder can check years later with our published keys, without asking us."""

from datetime import datetime

from kit.jose import LocalKeySet


def sign_receipt(
    keys: LocalKeySet,
    *,
    locker_url: str,
    document_uri: str,
    sha256: bytes,
    administration: str,
    type_: str,
    at: datetime,
) -> str:
    """Compact JWS (ES256) with ``typ: khizana-receipt+jwt``. It says who deposited which bytes when, not for whom."""
    return keys.sign(
        {
            "iss": locker_url,
            "sub": document_uri,
            "iat": int(at.timestamp()),
            "administration": administration,
            "type": type_,
            "sha256": sha256.hex(),
        },
        typ="khizana-receipt+jwt",
    )
