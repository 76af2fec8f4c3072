from uuid import UUID

from idp.authenticators import store
from idp.authenticators.schema import Destination
from kit.audit import Audit, AuditEvent
from kit.db import Tx


async def use_code_by_message(tx: Tx, audit: Audit, citizen_id: UUID, to: Destination) -> None:
    """From now on codes go there. Only after a code that went there came back."""
    await store.set_code_by_message(tx, citizen_id, to)
    await audit.append(
        tx,
        AuditEvent(
            action="authenticator.added",
            actor_kind="citizen",
            actor=str(citizen_id),
            owner=str(citizen_id),
            detail={"method": "code", "channel": to.channel},
        ),
    )
