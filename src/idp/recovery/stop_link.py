"""The link that stops a recovery: derived, so that every notice may carry it, and good for that recovery only."""

import base64
import hashlib
import hmac
from uuid import UUID

from idp.keys.secrets import Secrets

_MAC_BYTES = 24


def stop_token(secrets: Secrets, recovery_id: UUID) -> str:
    return base64.urlsafe_b64encode(recovery_id.bytes + _mac(secrets, recovery_id)).rstrip(b"=").decode()


def recovery_in(secrets: Secrets, token: str) -> UUID | None:
    try:
        data = base64.urlsafe_b64decode(token[:100] + "=" * (-len(token[:100]) % 4))
    except ValueError:
        return None
    if len(data) != 16 + _MAC_BYTES:
        return None
    recovery_id = UUID(bytes=data[:16])
    return recovery_id if hmac.compare_digest(data[16:], _mac(secrets, recovery_id)) else None


def _mac(secrets: Secrets, recovery_id: UUID) -> bytes:
    return hmac.new(secrets.derive("recovery-stop"), recovery_id.bytes, hashlib.sha256).digest()[:_MAC_BYTES]
