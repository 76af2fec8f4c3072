from typing import Annotated

import msgspec
from msgspec import Meta


class ReceiptShown(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    receipt: Annotated[str, Meta(max_length=16_384)]
    """The compact JWS of an access."""


class AccessProof(msgspec.Struct, frozen=True, kw_only=True):
    audit_id: str
    leaf_index: int
    commitment: str
    """Base64 of SHA-256 of 32 random bytes and the event, which the citizen alone may read."""
    proof: str
    """C2SP tlog-proof, its extra data the commitment: the leaf is SHA-256(0x00 || commitment)."""
    signed: str
    """JWS, ``typ`` khizana-access-proof+jwt: our word that this commitment is to the line that the receipt names. The
    citizen's proof of the same line opens it, so a false one convicts us."""
    distrusted_from: int | None = None
    """Seconds since 1970: from then on the key of the receipt that was shown is not believed. The access is from before
    and the receipt says what we recorded."""
    receipt: str | None = None
    """Then the same receipt under a key of today, to be filed instead."""
