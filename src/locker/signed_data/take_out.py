from pathlib import Path

from locker.signed_data.schema import Kept
from locker.signed_data.vault_names import data_name, open_key, open_signature
from locker.vault import Stored, Vault


async def take_out(
    vault: Vault, data: Kept, folder: Path, *, document: Stored, owner: str, document_id: str, version: int
) -> tuple[Path, Path | None]:
    """The data, and the signature that lies beside it, as files in ``folder``: to be judged again."""
    stored = await open_key(vault, data, document, owner=owner, document_id=document_id, version=version)
    path = folder / "data"
    # Frames go to the page cache: less than a hop to a thread.
    with path.open("xb") as file:
        async for frame in vault.read(stored, owner=owner, document_id=data_name(document_id), version=version):
            file.write(frame)
    signature = await open_signature(vault, data, document, owner=owner, document_id=document_id, version=version)
    if signature is None:
        return path, None
    beside = folder / "signature"
    beside.write_bytes(signature)
    return path, beside
