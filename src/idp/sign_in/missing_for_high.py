from uuid import UUID

import msgspec

from idp.authenticators.methods import methods_of
from idp.citizens.find import find_citizen
from kit.db import Tx


class Missing(msgspec.Struct, frozen=True):
    passkey: bool
    visit: bool
    """The identity was never checked at a desk."""


async def missing_for_high(tx: Tx, citizen_id: UUID) -> Missing:
    """What stands between this citizen and the highest level."""
    citizen, methods = await find_citizen(tx, citizen_id), await methods_of(tx, citizen_id)
    return Missing(passkey=methods.passkeys == 0, visit=citizen is None or citizen.proofing != "desk")
