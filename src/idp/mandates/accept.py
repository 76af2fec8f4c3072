from uuid import UUID

from idp.mandates import store
from idp.mandates.refusals import UnknownMandate
from idp.mandates.schema import Mandating
from idp.mandates.tell import tell_both
from kit.db import Tx


async def accept(tx: Tx, parts: Mandating, mandate_id: UUID, *, actor_id: UUID) -> None:
    """Only who was asked accepts, and once. Raises UnknownMandate."""
    row = await store.accept(tx, mandate_id, actor_id=actor_id)
    if row is None:
        raise UnknownMandate
    people = (row["represented_id"], row["actor_id"])
    await tell_both(tx, parts, mandate_id, people, "mandate.accepted", actor_kind="citizen", actor=str(actor_id))
