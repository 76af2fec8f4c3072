"""What a resource server knows a citizen's grant by: the same each time, another in each sector.

AES-SIV (RFC 5297) under a key of the sector: deterministic, so nothing is kept; authenticated, so nobody makes one up.
"""

import base64
from typing import Literal
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from idp.keys.secrets import Secrets

Kind = Literal["grant", "authorization"]
GRANT: Kind = "grant"
"""The connection of a citizen with a client: it lasts until the citizen ends it."""
AUTHORIZATION: Kind = "authorization"
"""One answer of the citizen, and the tokens that came of it."""
_LENGTH = 43


def id_of(secrets: Secrets, sector: str, kind: Kind, id_: UUID) -> str:
    """43 characters, BASE64URL without padding."""
    return base64.urlsafe_b64encode(_aead(secrets, sector).encrypt(id_.bytes, [kind.encode()])).rstrip(b"=").decode()


def opened(secrets: Secrets, sector: str, kind: Kind, text: str) -> UUID | None:
    """None for whatever this sector was not told."""
    if len(text) != _LENGTH:
        return None
    try:
        sealed = base64.b64decode(f"{text}=", altchars=b"-_", validate=True)
        return UUID(bytes=_aead(secrets, sector).decrypt(sealed, [kind.encode()]))
    except (ValueError, InvalidTag):
        return None


def _aead(secrets: Secrets, sector: str) -> AESSIV:
    return AESSIV(secrets.derive(f"grant-id|{sector}"))
