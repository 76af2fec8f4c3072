from kit.db import Tx
from locker.administrations.identify import identify
from locker.documents.identifier import document_id_of
from locker.seals import store
from locker.seals.refusals import SealUnknown
from locker.seals.schema import Sealed, SealRow
from locker.seals.views import sealed


async def find_row(tx: Tx, seal_id: str, *, client_id: str) -> SealRow:
    """A seal of the administration for which the client speaks; SealUnknown for everything else."""
    depositor = await identify(tx, client_id=client_id)
    if document_id_of(seal_id) != seal_id:
        raise SealUnknown
    row = await store.find(tx, administration=depositor.administration, seal_id=seal_id)
    if row is None or row.level is None:
        raise SealUnknown
    return row


async def find_seal(tx: Tx, seal_id: str, *, client_id: str, locker_url: str) -> Sealed:
    row = await find_row(tx, seal_id, client_id=client_id)
    version = await store.version(tx, administration=row.administration, seal_id=seal_id, version=row.version)
    if version is None:
        raise SealUnknown
    return sealed(row, version, locker_url=locker_url)
