from typing import Any

from litestar import Request, Response

from locker.documents.content_disposition import attachment
from locker.documents.schema import HeldDocument
from locker.documents.send_bytes import SANDBOX, send_bytes
from locker.signed_data.media_types import extension_of
from locker.signed_data.schema import SignedData
from locker.signed_data.vault_names import data_name, open_key, open_signature
from locker.vault import Vault


async def send_data(
    request: Request[Any, Any, Any], vault: Vault, document: HeldDocument, data: SignedData, *, name: str
) -> Response[Any]:
    """As ``send_bytes`` answers."""
    stored = await open_key(
        vault,
        data,
        document.stored,
        owner=document.owner,
        document_id=document.document_id,
        version=document.version,
    )
    return await send_bytes(
        request,
        vault,
        stored,
        owner=document.owner,
        document_id=data_name(document.document_id),
        version=document.version,
        media_type=data.media_type,
        disposition=attachment(name, extension_of(data.media_type)),
    )


async def send_signature(
    vault: Vault, document: HeldDocument, data: SignedData, *, name: str
) -> Response[bytes] | None:
    """None: the data holds its signature."""
    signature = await open_signature(
        vault,
        data,
        document.stored,
        owner=document.owner,
        document_id=document.document_id,
        version=document.version,
    )
    if signature is None:
        return None
    cms = signature[:1] == b"\x30"
    return Response(
        signature,
        media_type="application/pkcs7-signature" if cms else "application/jose+json",
        headers={
            "Cache-Control": "private, no-store",
            "Content-Disposition": attachment(name, "p7s" if cms else "jws"),
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": SANDBOX,
        },
    )
