"""The raw body of a request and the headers that speak of it."""

import re
from collections.abc import AsyncIterable, AsyncIterator
from typing import Any

import msgspec
from litestar import Request

from kit.errors import BodyCutShort
from locker.deposits.refusals import IdempotencyKeyMissing


class Body(msgspec.Struct, frozen=True, kw_only=True):
    frames: AsyncIterable[bytes]
    content_type: str
    content_length: int | None
    repr_digest: str | None


async def frames(request: Request[Any, Any, Any]) -> AsyncIterator[bytes]:
    while True:
        message = await request.receive()
        if message["type"] != "http.request":
            raise BodyCutShort
        if message["body"]:
            yield message["body"]
        if not message.get("more_body", False):
            return


def content_length(field: str | None) -> int | None:
    return int(field) if field is not None and re.fullmatch(r"[0-9]{1,18}", field) else None


def idempotency_key(field: str | None) -> str:
    """A structured string (draft-ietf-httpapi-idempotency-key §2.1); without quotes as well. 1 to 255 characters."""
    found = re.fullmatch(r'"([!#-\[\]-~ ]{1,255})"|([!#-+\--~]{1,255})', field or "")
    if not found:
        raise IdempotencyKeyMissing
    return found[1] or found[2]
