from uuid import UUID

from idp.upstream import store
from kit.audit import Audit, AuditEvent
from kit.db import Tx


async def forget_links(tx: Tx, audit: Audit, citizen_id: UUID) -> None:
    """All links of a citizen whose account is made anew: whoever had it may have made some."""
    for slug in await store.delete_links(tx, citizen_id):
        await audit.append(
            tx,
            AuditEvent(action="upstream.unlinked", actor_kind="system", owner=str(citizen_id), object_id=slug),
        )
