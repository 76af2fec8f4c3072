from locker.documents.fields import open_fields
from locker.documents.schema import DocumentDetail, DocumentMessage, HeldDocument
from locker.references.message import ReferenceMessage
from locker.signed_data.find import message
from locker.signed_data.schema import SignedData
from locker.vault import Vault


async def detail(
    vault: Vault, document: HeldDocument, data: SignedData | None, *, reference: ReferenceMessage | None
) -> DocumentDetail:
    """A document with its fields, as its owner may see it. Raises BlobDamaged, Erased."""
    return DocumentDetail(
        **{name: getattr(document, name) for name in DocumentMessage.__struct_fields__},
        sha256=document.sha256.hex(),
        signed_by=document.signer,
        signed_at=document.signed_at,
        indication=document.indication,
        level=document.level,
        replaces=document.replaces,
        replaced_by=document.replaced_by,
        fields=await open_fields(vault, document),
        signed_data=message(data) if data else None,
        reference=reference,
    )
