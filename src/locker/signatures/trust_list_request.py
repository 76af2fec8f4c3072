"""What the reader of trust lists and its worker say to each other."""

import msgspec

from locker.signatures.trust_list_schema import TrustList


class ListRequest(msgspec.Struct, frozen=True, kw_only=True):
    xml: bytes
    signers: tuple[bytes, ...]
    size_max_bytes: int


class ListAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """``refused`` is a stable reason; ``pivots`` is what a list of an unknown signer says about its earlier ones."""

    found: TrustList | None = None
    refused: str | None = None
    pivots: tuple[str, ...] = ()
