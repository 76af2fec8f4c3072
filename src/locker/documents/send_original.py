"""The original bytes as an HTTP answer, streamed and verified segment by segment."""

from typing import Any

from litestar import Request, Response
from litestar.response import Stream

from locker.documents import byte_range, preconditions
from locker.documents.content_disposition import attachment
from locker.documents.schema import HeldDocument
from locker.vault import Vault

# Shown nowhere inside a page of ours, whatever a browser thinks the bytes are (V-22).
_SANDBOX = "sandbox; default-src 'none'; frame-ancestors 'none'"


async def send_original(
    request: Request[Any, Any, Any], vault: Vault, document: HeldDocument, *, name: str
) -> Response[Any]:
    """200, 206 or 304; 412 and 416 are raised. The first segment is verified before the status is said (V-15)."""
    headers = {
        "ETag": document.etag,
        "Cache-Control": "private, no-store",
        "Content-Disposition": attachment(name, "pdf"),
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": _SANDBOX,
        "Accept-Ranges": "bytes",
    }
    if preconditions.not_modified(
        etag=document.etag,
        if_match=request.headers.get("if-match"),
        if_none_match=request.headers.get("if-none-match"),
    ):
        return Response(b"", status_code=304, headers=headers)
    asked = request.headers.get("range")
    if not preconditions.same_bytes(request.headers.get("if-range"), document.etag):
        asked = None
    part = byte_range.wanted(asked, document.length)
    reading = await vault.open(
        document.stored,
        owner=document.owner,
        document_id=document.document_id,
        version=document.version,
        start=part.start,
        end=part.end,
    )
    headers["Content-Length"] = str(part.end - part.start)
    if not part.whole:
        headers["Content-Range"] = part.content_range(document.length)
    return Stream(reading, status_code=200 if part.whole else 206, media_type=document.media_type, headers=headers)
