"""Stored bytes as an HTTP answer, streamed and verified segment by segment."""

from collections.abc import Awaitable, Callable
from typing import Any

from litestar import Request, Response
from litestar.response import Stream

from locker.documents import byte_range, preconditions
from locker.vault import Stored, Vault
from locker.vault.vault import Reading

# Shown nowhere inside a page of ours, whatever a browser thinks the bytes are (V-22).
SANDBOX = "sandbox; default-src 'none'; frame-ancestors 'none'"


async def send_bytes(
    request: Request[Any, Any, Any],
    vault: Vault,
    stored: Stored,
    *,
    owner: str,
    document_id: str,
    version: int,
    media_type: str,
    disposition: str,
) -> Response[Any]:
    """200, 206 or 304; 412 and 416 are raised. The first segment is verified before the status is said (V-15)."""

    async def open_(start: int, end: int) -> Reading:
        return await vault.open(stored, owner=owner, document_id=document_id, version=version, start=start, end=end)

    return await send_opened(
        request,
        open_,
        length=stored.length,
        sha256=stored.plaintext_sha256,
        media_type=media_type,
        disposition=disposition,
    )


async def send_opened(
    request: Request[Any, Any, Any],
    open_: Callable[[int, int], Awaitable[Reading]],
    *,
    length: int,
    sha256: bytes,
    media_type: str,
    disposition: str,
) -> Response[Any]:
    """As ``send_bytes``; ``open_`` gives the bytes from a start to an end (exclusive), the first of them verified."""
    # Strong (RFC 9110 §8.8.1): the bytes' own digest.
    etag = f'"{sha256.hex()}"'
    headers = {
        "ETag": etag,
        "Cache-Control": "private, no-store",
        "Content-Disposition": disposition,
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": SANDBOX,
        "Accept-Ranges": "bytes",
    }
    if preconditions.not_modified(
        etag=etag,
        if_match=request.headers.get("if-match"),
        if_none_match=request.headers.get("if-none-match"),
    ):
        return Response(b"", status_code=304, headers=headers)
    asked = request.headers.get("range")
    if not preconditions.same_bytes(request.headers.get("if-range"), etag):
        asked = None
    part = byte_range.wanted(asked, length)
    reading = await open_(part.start, part.end)
    headers["Content-Length"] = str(part.end - part.start)
    if not part.whole:
        headers["Content-Range"] = part.content_range(length)
    return Stream(reading, status_code=200 if part.whole else 206, media_type=media_type, headers=headers)
