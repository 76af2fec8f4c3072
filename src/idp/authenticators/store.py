from uuid import UUID

from idp.authenticators.schema import Destination, Methods
from kit.db import Row, Tx


async def methods(tx: Tx, citizen_id: UUID) -> Methods:
    row = await tx.fetchrow(
        """
        SELECT p.citizen_id IS NOT NULL AS password, t.secret_sealed IS NOT NULL AS totp, m.channel, m.address,
               coalesce(t.last_used_at, t.confirmed_at, '-infinity')
                 >= coalesce(m.last_used_at, m.confirmed_at, '-infinity') AS totp_last_used
          FROM idp.citizen c
          LEFT JOIN idp.password p USING (citizen_id)
          LEFT JOIN idp.totp t USING (citizen_id)
          LEFT JOIN idp.code_by_message m USING (citizen_id)
         WHERE c.citizen_id = $1""",
        citizen_id,
    )
    if row is None:
        return Methods(password=False, totp=False, code=None)
    return Methods(
        password=row["password"],
        totp=row["totp"],
        code=None if row["channel"] is None else Destination(row["channel"], row["address"]),
        totp_last_used=row["totp_last_used"],
    )


async def set_password(tx: Tx, citizen_id: UUID, argon2: str) -> None:
    await tx.execute(
        """
        INSERT INTO idp.password (citizen_id, argon2) VALUES ($1, $2)
        ON CONFLICT (citizen_id) DO UPDATE SET argon2 = excluded.argon2, set_at = now()""",
        citizen_id,
        argon2,
    )


async def rehash_password(tx: Tx, citizen_id: UUID, *, before: str, after: str) -> None:
    """Same password under today's parameters; nothing if it was changed meanwhile."""
    await tx.execute(
        "UPDATE idp.password SET argon2 = $3 WHERE citizen_id = $1 AND argon2 = $2", citizen_id, before, after
    )


async def propose_totp(tx: Tx, citizen_id: UUID, pending_sealed: bytes) -> None:
    await tx.execute(
        """
        INSERT INTO idp.totp (citizen_id, pending_sealed, pending_at) VALUES ($1, $2, now())
        ON CONFLICT (citizen_id) DO UPDATE SET pending_sealed = excluded.pending_sealed, pending_at = now()""",
        citizen_id,
        pending_sealed,
    )


async def pending_totp(tx: Tx, citizen_id: UUID) -> Row | None:
    """pending_sealed and the database's time, for an hour after it was proposed."""
    return await tx.fetchrow(
        """
        SELECT pending_sealed, extract(epoch FROM now())::float8 AS now_s
          FROM idp.totp
         WHERE citizen_id = $1 AND pending_sealed IS NOT NULL AND pending_at > now() - interval '1 hour'""",
        citizen_id,
    )


async def confirm_totp(tx: Tx, citizen_id: UUID, *, pending_sealed: bytes, step: int) -> bool:
    row = await tx.fetchrow(
        """
        UPDATE idp.totp
           SET secret_sealed = pending_sealed, pending_sealed = NULL, pending_at = NULL, last_step = $3,
               confirmed_at = now(), last_used_at = NULL
         WHERE citizen_id = $1 AND pending_sealed = $2
        RETURNING citizen_id""",
        citizen_id,
        pending_sealed,
        step,
    )
    return row is not None


async def spend_totp_step(tx: Tx, citizen_id: UUID, step: int) -> bool:
    """One statement: of two callers with the same code, one wins."""
    row = await tx.fetchrow(
        """
        UPDATE idp.totp SET last_step = $2, last_used_at = now()
         WHERE citizen_id = $1 AND last_step < $2 AND secret_sealed IS NOT NULL
        RETURNING citizen_id""",
        citizen_id,
        step,
    )
    return row is not None


async def remove_totp(tx: Tx, citizen_id: UUID) -> bool:
    row = await tx.fetchrow("DELETE FROM idp.totp WHERE citizen_id = $1 RETURNING citizen_id", citizen_id)
    return row is not None


async def put_code(
    tx: Tx,
    citizen_id: UUID,
    *,
    purpose: str,
    binding: str,
    to: Destination,
    code_mac: bytes,
    tries_max: int,
    lifetime_s: int,
) -> bool:
    """A second code for the same thing replaces the first and keeps its count of tries; False once they are used up."""
    row = await tx.fetchrow(
        """
        INSERT INTO idp.one_time_code AS o
               (citizen_id, purpose, binding, channel, address, code_mac, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, now() + make_interval(secs => $8))
        ON CONFLICT (citizen_id, purpose, binding) DO UPDATE
           SET channel = excluded.channel, address = excluded.address, code_mac = excluded.code_mac,
               expires_at = excluded.expires_at, spent_at = NULL,
               tries = CASE WHEN o.expires_at < now() - interval '1 hour' THEN 0 ELSE o.tries END
         WHERE o.tries < $7 OR o.expires_at < now() - interval '1 hour'
        RETURNING citizen_id""",
        citizen_id,
        purpose,
        binding,
        to.channel,
        to.address,
        code_mac,
        tries_max,
        float(lifetime_s),
    )
    return row is not None


async def try_code(
    tx: Tx, citizen_id: UUID, *, purpose: str, binding: str, code_mac: bytes, tries_max: int
) -> Destination | None:
    """Count a try and spend the code if it is right, in one statement: where it had gone, or None."""
    row = await tx.fetchrow(
        """
        UPDATE idp.one_time_code
           SET tries = tries + 1, spent_at = CASE WHEN code_mac = $4 THEN now() END
         WHERE citizen_id = $1 AND purpose = $2 AND binding = $3
           AND spent_at IS NULL AND expires_at > now() AND tries < $5
        RETURNING spent_at IS NOT NULL AS right_one, channel, address""",
        citizen_id,
        purpose,
        binding,
        code_mac,
        tries_max,
    )
    if row is None or not row["right_one"]:
        return None
    return Destination(row["channel"], row["address"])


async def destination_of(tx: Tx, citizen_id: UUID, *, purpose: str, binding: str) -> Destination | None:
    """Where the last code for this went, while it may still be entered."""
    row = await tx.fetchrow(
        """
        SELECT channel, address FROM idp.one_time_code
         WHERE citizen_id = $1 AND purpose = $2 AND binding = $3 AND spent_at IS NULL AND expires_at > now()""",
        citizen_id,
        purpose,
        binding,
    )
    return None if row is None else Destination(row["channel"], row["address"])


async def set_code_by_message(tx: Tx, citizen_id: UUID, to: Destination) -> None:
    await tx.execute(
        """
        INSERT INTO idp.code_by_message (citizen_id, channel, address) VALUES ($1, $2, $3)
        ON CONFLICT (citizen_id) DO UPDATE
           SET channel = excluded.channel, address = excluded.address, confirmed_at = now(), last_used_at = NULL""",
        citizen_id,
        to.channel,
        to.address,
    )


async def code_by_message_used(tx: Tx, citizen_id: UUID) -> None:
    await tx.execute("UPDATE idp.code_by_message SET last_used_at = now() WHERE citizen_id = $1", citizen_id)


async def remove_code_by_message(tx: Tx, citizen_id: UUID) -> bool:
    row = await tx.fetchrow("DELETE FROM idp.code_by_message WHERE citizen_id = $1 RETURNING citizen_id", citizen_id)
    return row is not None


async def sweep(tx: Tx) -> None:
    await tx.execute(
        """
        DELETE FROM idp.one_time_code o
         USING (SELECT citizen_id, purpose, binding FROM idp.one_time_code
                 WHERE expires_at < now() - interval '1 day' LIMIT 1000) old
         WHERE o.citizen_id = old.citizen_id AND o.purpose = old.purpose AND o.binding = old.binding"""
    )
