"""The address of a share between a citizen's answer and the relying party that fetches it."""

from kit.sealed import Sealer, derived_key


class SealedLinks:
    def __init__(self, secret: str) -> None:
        """``secret`` is the locker's setting."""
        self._sealer = Sealer(derived_key(secret, "request-links"))

    def seal(self, token: str, *, of: str) -> bytes:
        """``of`` names what it was made of: a request; of what was allowed at sign-in, the share itself."""
        return self._sealer.seal(token.encode(), f"request|{of}")

    def open(self, sealed: bytes, *, of: str) -> str:
        """InvalidTag for a row that was moved or changed: a fault."""
        return self._sealer.open(sealed, f"request|{of}").decode()
