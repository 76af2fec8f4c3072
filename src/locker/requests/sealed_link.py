"""The address of a share between a citizen's answer and the relying party that fetches it."""

from kit.sealed import Sealer, derived_key


class SealedLinks:
    def __init__(self, secret: str) -> None:
        """``secret`` is the locker's setting."""
        self._sealer = Sealer(derived_key(secret, "request-links"))

    def seal(self, token: str, *, request_id: str) -> bytes:
        return self._sealer.seal(token.encode(), f"request|{request_id}")

    def open(self, sealed: bytes, *, request_id: str) -> str:
        """InvalidTag for a row that was moved or changed: a fault."""
        return self._sealer.open(sealed, f"request|{request_id}").decode()
