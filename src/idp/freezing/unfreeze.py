"""The whole identity is opened again by two factors and a day of waiting, of which every contact point is told; or at
a desk, at once (docs/adr/0008-freezing.md)."""

from uuid import UUID

from idp.citizens.change_state import change_state_of
from idp.citizens.find import find_citizen
from idp.citizens.refusals import StateRefused
from idp.freezing import notices, store
from idp.freezing.schema import DeskOnly, Freezing, Opened, Waiting
from kit.audit import AuditEvent
from kit.db import Tx
from kit.i18n import Locale


async def unfreeze(tx: Tx, parts: Freezing, citizen_id: UUID, *, waiting_s: int) -> Opened | Waiting | DeskOnly:
    """Call it only after two factors. The first call asks, one after the waiting time opens. Raises StateRefused."""
    citizen = await find_citizen(tx, citizen_id)
    if citizen is None or citizen.state != "frozen":
        raise StateRefused
    opens_at = await store.ask_to_thaw(tx, citizen_id, waiting_s=waiting_s)
    if opens_at is not None:
        await _record(tx, parts, citizen_id, "citizen.unfreeze-asked")
        await parts.post.tell(
            tx,
            citizen_id=citizen_id,
            claims=citizen.claims,
            notice=notices.thaw_asked(),
            locale=Locale(citizen.locale),
        )
    asked = await store.select_thaw(tx, citizen_id)
    if asked is None:
        raise StateRefused
    opens_at, due, desk_only = asked
    if desk_only:
        return DeskOnly()
    if not due:
        return Waiting(opens_at)
    await change_state_of(
        tx, parts.audit, citizen, "unfreeze", actor_kind="citizen", actor=str(citizen_id), reason="waited"
    )
    await store.delete_thaw(tx, citizen_id)
    await parts.post.tell(
        tx,
        citizen_id=citizen_id,
        claims=citizen.claims,
        notice=notices.identity_thawed(),
        locale=Locale(citizen.locale),
    )
    return Opened()


async def keep_frozen(tx: Tx, parts: Freezing, citizen_id: UUID) -> DeskOnly:
    """It was not the citizen who asked to open it. From now on only a desk does. Raises StateRefused."""
    if not await store.leave_to_the_desk(tx, citizen_id):
        raise StateRefused
    await _record(tx, parts, citizen_id, "citizen.unfreeze-refused")
    return DeskOnly()


async def _record(tx: Tx, parts: Freezing, citizen_id: UUID, action: str) -> None:
    await parts.audit.append(
        tx, AuditEvent(action=action, actor_kind="citizen", actor=str(citizen_id), owner=str(citizen_id))
    )
