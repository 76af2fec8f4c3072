"""What the judge of data and its worker say to each other; imported by both, so it imports no parser."""

from datetime import datetime

import msgspec

from locker.signatures.schema import Policy


class DataRequest(msgspec.Struct, frozen=True, kw_only=True):
    """``trust`` is a MessagePack-encoded ``Trust``. ``names`` are those by which a signature may speak of the data."""

    signature: str
    data: str | None
    names: tuple[str, ...]
    policy: Policy
    trust: bytes
    at: datetime
