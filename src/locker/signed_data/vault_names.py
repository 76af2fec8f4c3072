"""Data in the vault: under a name of its own, so that it can never stand for the document."""

from locker.signed_data.schema import Kept
from locker.vault import Stored, Vault

KEY_PART, SIGNATURE_PART = "data-key", "data-signature"


def data_name(document_id: str) -> str:
    return f"data.{document_id}"


async def open_key(vault: Vault, data: Kept, document: Stored, *, owner: str, document_id: str, version: int) -> Stored:
    """The data as the vault reads it; ``document`` is what its key is sealed under. Raises BlobDamaged, Erased."""
    key = await vault.open_part(
        document, owner=owner, document_id=document_id, version=version, part=KEY_PART, sealed=data.key_sealed
    )
    return data.stored(key)


async def open_signature(
    vault: Vault, data: Kept, document: Stored, *, owner: str, document_id: str, version: int
) -> bytes | None:
    if data.signature_sealed is None:
        return None
    return await vault.open_part(
        document,
        owner=owner,
        document_id=document_id,
        version=version,
        part=SIGNATURE_PART,
        sealed=data.signature_sealed,
    )
