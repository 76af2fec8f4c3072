"""An officer records what a court, a law or a notary decided: it needs no acceptance, and names its ground."""

import datetime as dt
from typing import Any
from uuid import UUID

from msgspec import UNSET

from idp.citizens.find import find_by_uid
from idp.citizens.refusals import UnknownCitizen
from idp.citizens.schema import Citizen
from idp.mandates import store
from idp.mandates.give import end_of
from idp.mandates.refusals import MandateRefused
from idp.mandates.schema import LIFETIME_MAX_DAYS, Mandating, Record
from idp.mandates.tell import tell_both
from kit.db import Tx
from kit.i18n.dates import CASABLANCA
from kit.ids import new_id


async def record(tx: Tx, parts: Mandating, record: Record, *, officer: str, majority_years: int) -> UUID:
    """Raises UnknownCitizen, MandateRefused."""
    represented, actor = await find_by_uid(tx, record.represented), await find_by_uid(tx, record.actor)
    if represented is None or actor is None:
        raise UnknownCitizen
    if represented.citizen_id == actor.citizen_id:
        raise MandateRefused("nobody represents themselves")
    if actor.state != "active" or represented.state not in ("registered", "active"):
        raise MandateRefused("the state of one of them")
    valid_from, valid_until = _dates(record, represented, majority_years)
    mandate_id = new_id()
    await store.insert(
        tx,
        mandate_id=mandate_id,
        represented_id=represented.citizen_id,
        actor_id=actor.citizen_id,
        kind=record.kind,
        clients=None if record.clients is UNSET else record.clients,
        scopes=None if record.scopes is UNSET else record.scopes,
        valid_from=valid_from,
        valid_until=valid_until,
        legal_reference=record.legal_reference,
        accepted=True,
    )
    detail: dict[str, Any] = {"kind": record.kind, "legal_reference": record.legal_reference}
    people = (represented.citizen_id, actor.citizen_id)
    await tell_both(
        tx, parts, mandate_id, people, "mandate.recorded", actor_kind="officer", actor=officer, detail=detail
    )
    return mandate_id


def _dates(record: Record, represented: Citizen, majority_years: int) -> tuple[dt.datetime, dt.datetime]:
    now = dt.datetime.now(dt.UTC)
    starts = now if record.valid_from is UNSET else dt.datetime.combine(record.valid_from, dt.time(), CASABLANCA)
    ends = None if record.valid_until is UNSET else end_of(record.valid_until)
    if record.kind == "guardian":
        majority = majority_of(str(represented.claims["birthdate"]), majority_years)
        ends = majority if ends is None else min(ends, majority)
    elif ends is None or ends > now + dt.timedelta(days=LIFETIME_MAX_DAYS):
        raise MandateRefused("valid_until")
    if not max(starts, now) < ends:
        raise MandateRefused("valid_until: it would be over")
    return starts, ends


def majority_of(birthdate: str, years: int) -> dt.datetime:
    """Midnight of the birthday, where citizens live; who was born on 29 February comes of age on 28 February."""
    born = dt.date.fromisoformat(birthdate)
    try:
        day = born.replace(year=born.year + years)
    except ValueError:
        day = born.replace(year=born.year + years, day=28)
    return dt.datetime.combine(day, dt.time(), CASABLANCA)
