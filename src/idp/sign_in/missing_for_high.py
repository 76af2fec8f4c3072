from uuid import UUID

import msgspec

from idp.authenticators.methods import methods_of
from idp.sign_in import store
from kit.db import Tx


class Missing(msgspec.Struct, frozen=True):
    passkey: bool
    visit: bool
    """The identity was not checked at a desk, or the account was recovered without a visit since."""


async def missing_for_high(tx: Tx, citizen_id: UUID) -> Missing:
    """What stands between this citizen and the highest level."""
    methods, proofing = await methods_of(tx, citizen_id), await store.proofing(tx, citizen_id)
    return Missing(passkey=methods.passkeys == 0, visit=proofing != "desk")
