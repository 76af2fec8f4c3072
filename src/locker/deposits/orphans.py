"""Objects on their way into a row, and what the sweeper asks of them."""

from datetime import datetime

from kit.db import Tx
from locker.deposits import store
from locker.deposits.schema import Intent


async def intend(tx: Tx, *, owner: str, object_key: str) -> None:
    """Before its first byte, or where a row lets it go: an object that no row comes to know is swept."""
    await store.intend(tx, owner=owner, object_key=object_key)


async def fulfil(tx: Tx, *, owner: str, object_key: str) -> bool:
    """In the transaction that writes the row. False if the sweeper has it: the object is gone or going."""
    return await store.fulfil(tx, owner=owner, object_key=object_key)


async def quarantined_between(tx: Tx, *, after: str, until: str) -> dict[str, str]:
    """object_key → document_id of what waits in quarantine, for keys greater than ``after`` and up to ``until``."""
    return await store.quarantined_between(tx, after=after, until=until)


async def overdue(tx: Tx, *, grace_s: int, limit: int) -> list[Intent]:
    return await store.overdue_intents(tx, grace_s=grace_s, limit=limit)


async def take(tx: Tx, *, grace_s: int, batch_max: int) -> list[Intent]:
    """From here on no deposit can finish on these."""
    return await store.take_overdue_intents(tx, grace_s=grace_s, batch_max=batch_max)


async def take_of(tx: Tx, *, owner: str, since: datetime | None, batch_max: int) -> list[Intent]:
    """All of an owner who is erased: what they hold is noise, however young. ``since`` leaves those of before, whose
    objects may be on their way at this moment: a delete that overtakes a PUT leaves an object that nobody knows of."""
    return await store.take_intents_of(tx, owner=owner, since=since, batch_max=batch_max)


async def forget(tx: Tx, intent: Intent) -> None:
    """Its object is gone."""
    await store.forget_intent(tx, owner=intent.owner, object_key=intent.object_key)


async def forget_expired_answers(tx: Tx, *, batch_max: int, batches_max: int) -> int:
    return await store.forget_expired_answers(tx, batch_max=batch_max, batches_max=batches_max)


async def forget_refused(tx: Tx, *, lifetime_s: int, batch_max: int, batches_max: int) -> int:
    """What was refused after quarantine, once its depositor had time to ask."""
    return await store.forget_refused(tx, lifetime_s=lifetime_s, batch_max=batch_max, batches_max=batches_max)


async def intended(tx: Tx, object_keys: list[str]) -> set[str]:
    """Objects of deposits that are not over yet, quarantined ones among them."""
    return await store.intended(tx, object_keys=object_keys)
