"""A service or an authenticator works again: by a sign-in that began after the freeze, or at a desk."""

import datetime as dt
from typing import Literal
from uuid import UUID

from idp.citizens.find import find_citizen
from idp.citizens.refusals import UnknownCitizen
from idp.freezing import notices, store
from idp.freezing.freeze import name_of
from idp.freezing.refusals import NotThawed
from idp.freezing.schema import Authenticator, Freezing, Service
from kit.audit import AuditEvent
from kit.db import Tx
from kit.i18n import Locale


async def thaw(
    tx: Tx,
    parts: Freezing,
    citizen_id: UUID,
    target: Service | Authenticator,
    *,
    signed_in_at: dt.datetime | None,
    actor_kind: Literal["citizen", "officer"] = "citizen",
    actor: str | None = None,
    because: str | None = None,
) -> None:
    """``signed_in_at`` is when the citizen proved two factors; None at a desk. A frozen authenticator proves nothing,
    so a sign-in of after the freeze was made with two others. Raises NotThawed, UnknownCitizen.
    """
    citizen = await find_citizen(tx, citizen_id)
    if citizen is None:
        raise UnknownCitizen
    kind: Literal["service", "authenticator"] = "service" if isinstance(target, Service) else "authenticator"
    # A service was frozen for what it does, not for who signs in: any fresh sign-in opens it.
    frozen_before = signed_in_at if kind == "authenticator" else None
    if not await store.delete(tx, citizen_id, kind, name_of(target), frozen_before=frozen_before):
        raise NotThawed
    await parts.audit.append(
        tx,
        AuditEvent(
            action="service.thawed" if kind == "service" else "authenticator.thawed",
            actor_kind=actor_kind,
            actor=actor if actor is not None else str(citizen_id),
            owner=str(citizen_id),
            object_id=name_of(target),
            purpose=because,
        ),
    )
    await parts.post.tell(
        tx,
        citizen_id=citizen_id,
        claims=citizen.claims,
        notice=notices.service_thawed() if kind == "service" else notices.authenticator_thawed(),
        locale=Locale(citizen.locale),
    )
