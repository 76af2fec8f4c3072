"""Signing keys of webhooks at rest: needed in clear at each delivery."""

from kit.sealed import Sealer, derived_key


class SealedKeys:
    def __init__(self, secret: str) -> None:
        """``secret`` is the locker's setting."""
        self._sealer = Sealer(derived_key(secret, "webhook-keys"))

    def seal(self, key: bytes, *, webhook_id: str, key_id: str) -> bytes:
        return self._sealer.seal(key, f"webhook|{webhook_id}|{key_id}")

    def open(self, sealed: bytes, *, webhook_id: str, key_id: str) -> bytes:
        """InvalidTag for a row that was moved or changed: a fault."""
        return self._sealer.open(sealed, f"webhook|{webhook_id}|{key_id}")
