from uuid import UUID

from idp.citizens import store
from idp.citizens.refusals import StateRefused
from kit.audit import Audit, AuditEvent
from kit.db import Tx


async def activate(tx: Tx, audit: Audit, citizen_id: UUID) -> None:
    """A registered citizen has a password and a second factor now. Raises StateRefused."""
    if not await store.set_state(tx, citizen_id, state="active", from_states=["registered"]):
        raise StateRefused
    await audit.append(
        tx,
        AuditEvent(
            action="citizen.activated",
            actor_kind="citizen",
            actor=str(citizen_id),
            owner=str(citizen_id),
        ),
    )
