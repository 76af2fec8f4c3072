"""What the judge's two sides say to each other; imported by both, so it imports no parser."""

from datetime import datetime

import msgspec

from locker.signatures.schema import Policy


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """``trust`` is a MessagePack-encoded ``Trust``, or empty where ``trust_path`` is a file with it; either is the key
    of the worker's cache."""

    path: str
    signature: str | None = None
    """Beside ``path``, over it."""
    any_format: bool = False
    """Also what is no PDF: else it is refused as such."""
    policy: Policy
    trust: bytes = b""
    trust_path: str | None = None
    at: datetime
    known_until: datetime | None = None
