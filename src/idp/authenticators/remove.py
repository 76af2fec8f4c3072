from uuid import UUID

from idp.authenticators import store
from idp.authenticators.refusals import LastSecondFactor
from idp.authenticators.schema import Method
from kit.audit import Audit, AuditEvent
from kit.db import Tx


async def remove(tx: Tx, audit: Audit, citizen_id: UUID, method: Method) -> bool:
    """False if it was not there. Raises LastSecondFactor: nobody locks themselves out."""
    if (await store.methods(tx, citizen_id)).second == (method,):
        raise LastSecondFactor
    removed = await (
        store.remove_totp(tx, citizen_id) if method == "totp" else store.remove_code_by_message(tx, citizen_id)
    )
    if removed:
        await audit.append(
            tx,
            AuditEvent(
                action="authenticator.removed",
                actor_kind="citizen",
                actor=str(citizen_id),
                owner=str(citizen_id),
                detail={"method": method},
            ),
        )
    return removed
