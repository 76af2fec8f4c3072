from typing import Any, Literal
from uuid import UUID

from idp.citizens import store
from kit.audit import Audit, AuditEvent
from kit.db import Tx


async def record_contact(
    tx: Tx, audit: Audit, citizen_id: UUID, *, channel: Literal["sms", "email"], address: str
) -> dict[str, Any]:
    """A contact point that the citizen proved to hold; the claims that changed. No authenticator moves with it."""
    name = "phone_number" if channel == "sms" else "email"
    changed: dict[str, Any] = {name: address, f"{name}_verified": True}
    await store.merge_claims(tx, citizen_id, changed)
    await audit.append(
        tx,
        AuditEvent(
            action="contact.changed",
            actor_kind="citizen",
            actor=str(citizen_id),
            owner=str(citizen_id),
            detail={"claim": name},
        ),
    )
    return changed
