from typing import Any, Literal
from uuid import UUID

from idp.citizens.find import find_citizen
from idp.mandates.notices import mandate_changed
from idp.mandates.schema import Mandating
from kit.audit import AuditEvent
from kit.db import Tx
from kit.i18n import Locale


async def tell_both(
    tx: Tx,
    parts: Mandating,
    mandate_id: UUID,
    people: tuple[UUID, UUID],
    action: str,
    *,
    actor_kind: Literal["citizen", "officer", "system"],
    actor: str,
    purpose: str | None = None,
    detail: dict[str, Any] | None = None,
) -> None:
    """What happened with a mandate stands in both histories, and both are told at every contact point."""
    for citizen_id in people:
        await parts.audit.append(
            tx,
            AuditEvent(
                action=action,
                actor_kind=actor_kind,
                actor=actor,
                owner=str(citizen_id),
                object_id=str(mandate_id),
                purpose=purpose,
                detail=detail or {},
            ),
        )
        citizen = await find_citizen(tx, citizen_id)
        if citizen is not None:
            await parts.post.tell(
                tx,
                citizen_id=citizen_id,
                claims=citizen.claims,
                notice=mandate_changed(),
                locale=Locale(citizen.locale),
            )
