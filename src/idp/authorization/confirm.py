from idp.authorization import store
from idp.authorization.refusals import InteractionOver
from idp.authorization.schema import Interaction
from kit.db import Tx


async def confirm(tx: Tx, interaction: Interaction, *, browser_sha256: bytes) -> None:
    """The citizen says that the waiting device or service is the one in front of them. Raises InteractionOver."""
    if not await store.confirm_interaction(tx, interaction.interaction_id, browser_sha256=browser_sha256):
        raise InteractionOver
