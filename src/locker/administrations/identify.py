from kit.db import Tx
from locker.administrations import store
from locker.administrations.refusals import AdministrationSuspended, NotAnAdministration
from locker.administrations.schema import Depositor


async def identify(tx: Tx, *, client_id: str) -> Depositor:
    """The active administration for which a client speaks, read at each request: a suspension takes effect at once."""
    depositor = await store.depositor(tx, client_id=client_id)
    if depositor is None:
        raise NotAnAdministration
    if depositor.state == "suspended":
        raise AdministrationSuspended
    return depositor
