from typing import Literal

from idp.citizens.schema import Citizen
from idp.messages.notices import upstream_linked, upstream_unlinked
from idp.upstream.schema import Linking
from kit.audit import AuditEvent
from kit.db import Tx
from kit.i18n import Locale


async def tell(
    tx: Tx, parts: Linking, citizen: Citizen, slug: str, action: Literal["upstream.linked", "upstream.unlinked"]
) -> None:
    """It stands in the history, and every contact point hears of it."""
    await parts.audit.append(
        tx,
        AuditEvent(
            action=action,
            actor_kind="citizen",
            actor=str(citizen.citizen_id),
            owner=str(citizen.citizen_id),
            object_id=slug,
        ),
    )
    await parts.post.tell(
        tx,
        citizen_id=citizen.citizen_id,
        claims=citizen.claims,
        notice=upstream_linked() if action == "upstream.linked" else upstream_unlinked(),
        locale=Locale(citizen.locale),
    )
