from kit.db import Tx
from locker.seals import store
from locker.seals.keep import owner_of
from locker.seals.refusals import SealUnknown
from locker.seals.schema import SealRow, VersionRow
from locker.vault import Vault
from locker.vault.vault import Reading


async def open_version(tx: Tx, vault: Vault, row: SealRow, *, version: int) -> tuple[VersionRow, Reading]:
    """Its first frame is verified already. SealUnknown for a version that there is not."""
    found = await store.version(tx, administration=row.administration, seal_id=row.seal_id, version=version)
    if found is None:
        raise SealUnknown
    reading = await vault.open(
        found.stored, owner=owner_of(row.administration), document_id=row.seal_id, version=found.version
    )
    return found, reading
