from uuid import UUID

from idp.citizens import store
from kit.audit import Audit, AuditEvent
from kit.db import Tx
from kit.i18n import Locale


async def record_locale(tx: Tx, audit: Audit, citizen_id: UUID, locale: Locale) -> None:
    """The language of pages and messages where nothing nearer says one."""
    await store.set_locale(tx, citizen_id, locale.value)
    await audit.append(
        tx,
        AuditEvent(
            action="language.chosen",
            actor_kind="citizen",
            actor=str(citizen_id),
            owner=str(citizen_id),
            detail={"locale": locale.tag},
        ),
    )
