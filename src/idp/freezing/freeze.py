"""Hold something still, now. Freezing takes nothing but time away from its owner, so it asks for little: whoever knows
the password may freeze. Opening again asks for more (thaw.py, unfreeze.py)."""

from typing import Literal
from uuid import UUID

from idp.citizens.change_state import change_state_of
from idp.citizens.end_tokens import end_tokens
from idp.citizens.find import find_citizen
from idp.citizens.refusals import UnknownCitizen
from idp.freezing import notices, store
from idp.freezing.schema import Authenticator, Freezing, Identity, Service, Target
from idp.sessions.end import end_all_for
from kit.audit import AuditEvent
from kit.db import Tx
from kit.i18n import Locale


async def freeze(
    tx: Tx,
    parts: Freezing,
    citizen_id: UUID,
    target: Target,
    *,
    because: str,
    actor_kind: Literal["citizen", "officer"] = "citizen",
    actor: str | None = None,
    except_sid: str | None = None,
) -> bool:
    """False if it was frozen already. Every contact point is told. Raises UnknownCitizen, StateRefused.

    ``except_sid`` is the session that may live on when an authenticator is frozen: the one in which it was done.
    """
    citizen = await find_citizen(tx, citizen_id)
    if citizen is None:
        raise UnknownCitizen
    done_by = actor if actor is not None else str(citizen_id)
    match target:
        case Identity():
            if citizen.state == "frozen":
                return False
            await change_state_of(
                tx, parts.audit, citizen, "freeze", actor_kind=actor_kind, actor=done_by, reason=because
            )
            notice = notices.identity_frozen()
        case Service(client_id):
            if not await store.insert(tx, citizen_id, "service", client_id):
                return False
            notice = notices.service_frozen()
        case Authenticator(name):
            if not await store.insert(tx, citizen_id, "authenticator", name):
                return False
            # As with a new password: what may have come of the old one is over.
            await end_all_for(tx, parts.audit, citizen_id, because="authenticator.frozen", except_sid=except_sid)
            await end_tokens(tx, citizen_id)
            notice = notices.authenticator_frozen()
    if not isinstance(target, Identity):
        await parts.audit.append(
            tx,
            AuditEvent(
                action="service.frozen" if isinstance(target, Service) else "authenticator.frozen",
                actor_kind=actor_kind,
                actor=done_by,
                owner=str(citizen_id),
                object_id=name_of(target),
                purpose=because,
            ),
        )
    await parts.post.tell(
        tx, citizen_id=citizen_id, claims=citizen.claims, notice=notice, locale=Locale(citizen.locale)
    )
    return True


def name_of(target: Service | Authenticator) -> str:
    return target.client_id if isinstance(target, Service) else target.name
