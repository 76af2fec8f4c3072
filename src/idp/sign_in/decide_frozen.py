from uuid import UUID

from idp.freezing.schema import Freezing
from idp.freezing.unfreeze import keep_frozen, unfreeze
from idp.sign_in.schema import Errand, FrozenDecided, SignIn
from kit.db import Tx


async def decide_frozen(tx: Tx, parts: SignIn, errand: Errand, citizen_id: UUID) -> FrozenDecided:
    """After two factors of a frozen citizen: open, or stay frozen, as the errand says. Raises StateRefused."""
    freezing = Freezing(audit=parts.audit, post=parts.post)
    if errand.to == "stay-frozen":
        return FrozenDecided(await keep_frozen(tx, freezing, citizen_id))
    return FrozenDecided(await unfreeze(tx, freezing, citizen_id, waiting_s=parts.unfreeze_waiting_s))
