from idp.activation import store
from idp.activation.refusals import ActivationOver
from idp.activation.schema import Opened
from idp.citizens.find import find_citizen
from kit.db import Tx


async def opened(tx: Tx, browser_sha256: bytes) -> Opened:
    """The activation under way in this browser. Raises ActivationOver."""
    found = await store.opened_in(tx, browser_sha256)
    citizen = None if found is None else await find_citizen(tx, found[0])
    if citizen is None or found is None:
        raise ActivationOver
    return Opened(citizen, has_password=found[1], kind=found[2])
