"""What the two sides of an archiving worker say to each other; imported by both, so it imports no parser."""

import msgspec


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """``trust`` is a MessagePack-encoded ``Trust``. ``target`` is written."""

    source: str
    target: str
    trust: bytes
    reserved_bytes: int
    digest_algorithm: str
