"""``sub`` by sector (OpenID Connect Core §8.1): two relying parties of two sectors share no value."""

import base64
import hashlib
import hmac
from uuid import UUID

from idp.keys.secrets import Secrets


def pairwise_sub(secrets: Secrets, *, sector: str, citizen_id: UUID) -> str:
    """HMAC-SHA256 under the sector's key, BASE64URL without padding: 43 characters."""
    mac = hmac.new(secrets.derive(f"sector|{sector}"), citizen_id.bytes, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()
