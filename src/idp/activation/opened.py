from idp.activation import store
from idp.activation.refusals import ActivationOver
from idp.activation.schema import Opened
from idp.authenticators.methods import methods_of
from idp.citizens.find import find_citizen
from kit.db import Tx


async def opened(tx: Tx, browser_sha256: bytes) -> Opened:
    """The activation under way in this browser. Raises ActivationOver."""
    citizen_id = await store.opened_in(tx, browser_sha256)
    citizen = None if citizen_id is None else await find_citizen(tx, citizen_id)
    if citizen is None:
        raise ActivationOver
    return Opened(citizen, (await methods_of(tx, citizen.citizen_id)).password)
