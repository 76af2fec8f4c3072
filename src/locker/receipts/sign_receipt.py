"""A receipt that its holder can check years later with our published keys, without asking us."""

from datetime import datetime

from locker.signing.ring import SigningKeys


def sign_receipt(
    keys: SigningKeys,
    *,
    locker_url: str,
    document_uri: str,
    sha256: bytes,
    administration: str,
    type_: str,
    at: datetime,
    data_sha256: str | None = None,
    data_signature_sha256: str | None = None,
) -> str:
    """Compact JWS (ES256) with ``typ: khizana-receipt+jwt``. It says who deposited which bytes when, not for whom.

    Of data that came with the document, and of the signature beside it, the digests stand there as well.
    """
    data = {"data_sha256": data_sha256, "data_signature_sha256": data_signature_sha256}
    return keys.sign(
        {
            "iss": locker_url,
            "sub": document_uri,
            "iat": int(at.timestamp()),
            "administration": administration,
            "type": type_,
            "sha256": sha256.hex(),
            **{name: value for name, value in data.items() if value is not None},
        },
        typ="khizana-receipt+jwt",
    )
