import datetime as dt
from collections.abc import Sequence
from uuid import UUID

from idp.citizens.find import find_by_uid
from idp.mandates import store
from idp.mandates.refusals import MandateRefused
from idp.mandates.schema import CLIENTS_MAX, LIFETIME_MAX_DAYS, Mandating
from idp.mandates.tell import tell_both
from kit.db import Database, Tx
from kit.i18n.dates import CASABLANCA
from kit.ids import new_id
from kit.throttle import Limit, Throttle

# Whoever types identifiers to see which of them are somebody's gets ten tries a day.
PER_CITIZEN = Limit("mandates-of-citizen", 10, 86_400)


async def count_try(db: Database, throttle: Throttle, represented_id: UUID) -> None:
    """In a transaction of its own, so that a refusal does not give the try back. Raises TooManyRequests."""
    await db.transact(lambda tx: throttle.count(tx, PER_CITIZEN, str(represented_id)))


async def give(
    tx: Tx, parts: Mandating, represented_id: UUID, *, actor_uid: str, until: dt.date, clients: Sequence[str] | None
) -> UUID:
    """Nothing holds before the other person accepts. Call ``count_try`` first. Raises MandateRefused."""
    now = dt.datetime.now(dt.UTC)
    valid_until = end_of(until)
    if not now < valid_until <= now + dt.timedelta(days=LIFETIME_MAX_DAYS):
        raise MandateRefused("valid_until")
    if clients is not None and not 1 <= len(clients) <= CLIENTS_MAX:
        raise MandateRefused("clients")
    actor = await find_by_uid(tx, actor_uid)
    if actor is None or actor.state != "active" or actor.citizen_id == represented_id:
        raise MandateRefused("actor")
    mandate_id = new_id()
    await store.insert(
        tx,
        mandate_id=mandate_id,
        represented_id=represented_id,
        actor_id=actor.citizen_id,
        kind="proxy",
        clients=clients,
        scopes=None,
        valid_from=now,
        valid_until=valid_until,
        legal_reference=None,
        accepted=False,
    )
    await tell_both(
        tx,
        parts,
        mandate_id,
        (represented_id, actor.citizen_id),
        "mandate.given",
        actor_kind="citizen",
        actor=str(represented_id),
    )
    return mandate_id


def end_of(day: dt.date) -> dt.datetime:
    """The moment after the last one of ``day``, where citizens live."""
    return dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), CASABLANCA)
