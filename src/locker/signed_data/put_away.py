import hashlib
from pathlib import Path

from locker.signed_data.media_types import media_type_of
from locker.signed_data.schema import NewSignedData
from locker.signed_data.vault_names import KEY_PART, SIGNATURE_PART, data_name
from locker.vault import FileFrames, Stored, Vault

_START_BYTES = 64


async def put_away(
    vault: Vault,
    data: Path,
    signature: bytes | None,
    *,
    document: Stored,
    owner: str,
    document_id: str,
    version: int,
    object_key: str,
    length: int,
) -> NewSignedData:
    """Store ``data`` as an object of its own, whose key is sealed under the ``document``'s; ``object_key`` is intended.

    Raises what ``Vault.put`` raises.
    """
    stored = await vault.put(
        owner=owner,
        document_id=data_name(document_id),
        version=version,
        object_key=object_key,
        frames=FileFrames(data),
        length=length,
    )

    async def sealed(part: str, plaintext: bytes) -> bytes:
        return await vault.seal_part(
            document, owner=owner, document_id=document_id, version=version, part=part, plaintext=plaintext
        )

    # From the page cache: less than a hop to a thread.
    with data.open("rb") as file:
        start = file.read(_START_BYTES)
    return NewSignedData(
        object_key=object_key,
        key_sealed=await sealed(KEY_PART, stored.wrapped_key),
        epoch=stored.epoch,
        sha256=stored.plaintext_sha256,
        length=stored.length,
        ciphertext_sha256=stored.ciphertext_sha256,
        format=stored.format,
        media_type=media_type_of(start),
        signature_sealed=await sealed(SIGNATURE_PART, signature) if signature is not None else None,
        signature_sha256=hashlib.sha256(signature).digest() if signature is not None else None,
    )
