from typing import Any

from litestar import Request, Response

from locker.documents.content_disposition import attachment
from locker.documents.schema import HeldDocument
from locker.documents.send_bytes import send_bytes
from locker.vault import Vault


async def send_original(
    request: Request[Any, Any, Any], vault: Vault, document: HeldDocument, *, name: str
) -> Response[Any]:
    """As ``send_bytes`` answers."""
    return await send_bytes(
        request,
        vault,
        document.stored,
        owner=document.owner,
        document_id=document.document_id,
        version=document.version,
        media_type=document.media_type,
        disposition=attachment(name, "pdf"),
    )
