from collections.abc import Sequence
from uuid import UUID

from kit.counting import count_up_to
from kit.db import Row, Tx
from kit.expired import forget

# As the index ``outbox_in_turn`` has it: 0 goes before 1.
_TURN = "(CASE WHEN kind LIKE 'code.%' OR kind = 'service.asks' THEN 0 ELSE 1 END)"


def _due(turn: int) -> str:
    """Each turn for itself: in one order the index would have to pass by what is tried again later."""
    return f"""
        SELECT message_id FROM idp.outbox
         WHERE channel = $1 AND {_TURN} = {turn} AND sent_at IS NULL AND next_try_at <= now() AND expires_at > now()
         ORDER BY next_try_at
         LIMIT $2
           FOR UPDATE SKIP LOCKED"""


_CLAIM = f"""
    WITH awaited AS ({_due(0)}), rest AS (
         SELECT message_id FROM ({_due(1)}) AS due LIMIT $2 - (SELECT count(*) FROM awaited))
    UPDATE idp.outbox
       SET tries = tries + 1,
           next_try_at = now() + make_interval(secs => $3 * power(2, least(tries, 6))::float8)
     WHERE message_id = ANY (ARRAY (SELECT message_id FROM awaited UNION ALL SELECT message_id FROM rest))
    RETURNING message_id, kind, channel, sealed, created_at, tries, {_TURN} = 0 AS awaited,
              extract(epoch FROM now() - created_at)::float8 AS waited_s"""


async def insert(
    tx: Tx, *, message_id: UUID, citizen_id: UUID, kind: str, channel: str, sealed: bytes, lifetime_s: int
) -> None:
    await tx.execute(
        """
        INSERT INTO idp.outbox (message_id, citizen_id, kind, channel, sealed, expires_at)
        VALUES ($1, $2, $3, $4, $5, now() + make_interval(secs => $6))""",
        message_id,
        citizen_id,
        kind,
        channel,
        sealed,
        float(lifetime_s),
    )


async def claim(tx: Tx, *, channel: str, count_max: int, lease_s: float) -> Sequence[Row]:
    """Due messages, what somebody waits for before all the rest, each handed to one caller for ``lease_s``: longer
    after each try. A sender that dies leaves them to the next."""
    return await tx.fetch(_CLAIM, channel, count_max, lease_s)


async def sent(tx: Tx, message_ids: Sequence[UUID]) -> None:
    await tx.execute("UPDATE idp.outbox SET sent_at = now() WHERE message_id = ANY ($1)", message_ids)


async def give_back(tx: Tx, claimed: Sequence[tuple[UUID, int]]) -> None:
    """Messages and how often they were tried: the last time was none, unless somebody else has them meanwhile. Each has
    the place again that it had when it came."""
    await tx.execute(
        """
        UPDATE idp.outbox o SET tries = o.tries - 1, next_try_at = o.created_at
          FROM unnest($1::uuid[], $2::smallint[]) AS claimed (message_id, tries)
         WHERE o.message_id = claimed.message_id AND o.tries = claimed.tries AND o.sent_at IS NULL""",
        [message_id for message_id, _ in claimed],
        [tries for _, tries in claimed],
    )


async def try_sooner(tx: Tx, message_id: UUID, *, tries: int, wait_s: float) -> None:
    """Before the lease of that try ends, unless somebody else has it meanwhile."""
    await tx.execute(
        """
        UPDATE idp.outbox SET next_try_at = least(next_try_at, now() + make_interval(secs => $3))
         WHERE message_id = $1 AND tries = $2 AND sent_at IS NULL""",
        message_id,
        tries,
        wait_s,
    )


async def latest(tx: Tx, *, count_max: int) -> list[Row]:
    return list(
        await tx.fetch(
            """
            SELECT message_id, kind, channel, sealed, created_at
              FROM idp.outbox ORDER BY created_at DESC LIMIT $1""",
            count_max,
        )
    )


async def count_waiting(tx: Tx) -> int:
    return await count_up_to(tx, "idp.outbox WHERE sent_at IS NULL AND expires_at > now()")


async def count_sms(tx: Tx, country: str) -> None:
    """What a day's messages will cost, by country."""
    await tx.execute(
        """
        INSERT INTO idp.sms_day AS s (day, country, messages) VALUES (current_date, $1, 1)
        ON CONFLICT (day, country) DO UPDATE SET messages = s.messages + 1""",
        country,
    )


async def sms_of_today(tx: Tx) -> list[Row]:
    """country and messages."""
    return list(await tx.fetch("SELECT country, messages FROM idp.sms_day WHERE day = current_date ORDER BY country"))


async def forget_late(tx: Tx, channel: str) -> int:
    """What is past its use and was never sent: how many. Not what somebody has in hand, which may be sent just now."""
    return await forget(
        tx,
        "idp.outbox",
        "sent_at IS NULL AND expires_at <= now() AND next_try_at <= now() AND channel = $1",
        channel,
    )


async def sweep(tx: Tx) -> None:
    await forget(tx, "idp.outbox", "created_at < now() - interval '2 days'")
