"""Twin receipts of one opening: what the opener files, and what the citizen keeps."""

from typing import Any, Literal

import msgspec

from locker.shares.schema import Opening
from locker.signing.ring import SigningKeys

TYP = "khizana-access-receipt+jwt"


Holder = Literal["opener", "citizen"]


def sign_access(keys: SigningKeys, opening: Opening, *, locker_url: str, holder: Holder) -> str:
    """Compact JWS (ES256). Both name the same line of the log in ``jti``, and nothing of the citizen.

    Whoever shows one of them at ``proof`` gets the place of that line in the log.
    """
    return keys.sign(access_claims(opening, locker_url=locker_url, holder=holder), typ=TYP)


def access_claims(opening: Opening, *, locker_url: str, holder: Holder) -> dict[str, Any]:
    """The same for ever: ``iat`` is when it was opened, not when it was signed."""
    claims: dict[str, Any] = {
        "iss": locker_url,
        "iat": int(opening.opened_at.timestamp()),
        "jti": opening.audit_id or opening.opening_id,
        "for": holder,
        "proof": f"{locker_url}/v1/receipts/proof",
        "opening": opening.opening_id,
        "recipient": opening.recipient,
        "purpose": opening.purpose,
        "view_only": opening.view_only,
        "documents": msgspec.to_builtins(opening.documents),
    }
    if opening.uploads:
        claims["uploads"] = opening.uploads
        # The locker signs that they were opened, not what they say.
        claims["uploads_assurance"] = "self-declared"
    if opening.client_id:
        claims["client_id"] = opening.client_id
    return claims
