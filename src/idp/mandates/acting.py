from idp.authorization.refusals import InteractionOver
from idp.authorization.schema import Interaction
from idp.mandates.choices import choices
from idp.mandates.schema import Mandate
from idp.sessions.schema import Session
from kit.db import Tx


async def acting(tx: Tx, interaction: Interaction, session: Session) -> Mandate | None:
    """The mandate that this person chose in this interaction; None for acting for oneself.

    Raises InteractionOver where the chosen one does not stand any more: never silently somebody else.
    """
    chosen = interaction.acting_chosen_by == session.citizen_id and interaction.representation_allowed
    if not chosen or interaction.acting_mandate_id is None:
        return None
    for mandate in await choices(tx, session, interaction.request):
        if mandate.mandate_id == interaction.acting_mandate_id:
            return mandate
    raise InteractionOver
