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


async def identify_again(tx: Tx, *, administration: str) -> Depositor:
    """The same administration later, when no client of its speaks; AdministrationSuspended while it is not active."""
    depositor = await store.active(tx, administration=administration)
    if depositor is None:
        raise AdministrationSuspended
    return depositor
