"""Every secret of the provider derives from one root, so that an operator keeps one value safe."""

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand


class Secrets:
    """``root`` has at least 32 random bytes."""

    def __init__(self, root: bytes) -> None:
        if len(root) < 32:
            raise ValueError("a root secret has at least 32 bytes")
        self._root = root

    def derive(self, purpose: str) -> bytes:
        """32 bytes for one named purpose (HKDF-Expand, RFC 5869 §2.3): knowing one tells nothing of another."""
        return HKDFExpand(hashes.SHA256(), 32, b"khizana|idp|" + purpose.encode()).derive(self._root)
