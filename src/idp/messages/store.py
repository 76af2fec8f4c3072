from collections.abc import Sequence
from uuid import UUID

from kit.db import Row, Tx


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


async def claim(tx: Tx, *, channels: Sequence[str], count_max: int, lease_s: int) -> list[Row]:
    """Due messages, each handed to one caller for ``lease_s``; a sender that dies leaves them to the next."""
    return list(
        await tx.fetch(
            """
            UPDATE idp.outbox
               SET tries = tries + 1,
                   next_try_at = now() + make_interval(secs => $3 * power(2, least(tries, 6))::float8)
             WHERE message_id IN (
                   SELECT message_id FROM idp.outbox
                    WHERE sent_at IS NULL AND next_try_at <= now() AND expires_at > now() AND channel = ANY($1)
                    ORDER BY next_try_at
                    LIMIT $2
                      FOR UPDATE SKIP LOCKED)
            RETURNING message_id, kind, channel, sealed, created_at""",
            list(channels),
            count_max,
            float(lease_s),
        )
    )


async def sent(tx: Tx, message_id: UUID) -> None:
    await tx.execute("UPDATE idp.outbox SET sent_at = now() WHERE message_id = $1", message_id)


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
    return int(await tx.fetchval("SELECT count(*) FROM idp.outbox WHERE sent_at IS NULL AND expires_at > now()"))


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


async def sweep(tx: Tx) -> None:
    await tx.execute(
        """
        DELETE FROM idp.outbox
         WHERE message_id IN (SELECT message_id FROM idp.outbox
                               WHERE created_at < now() - interval '2 days' LIMIT 1000)"""
    )
