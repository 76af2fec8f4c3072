from collections.abc import Sequence
from uuid import UUID

from idp.authenticators.passkey import NewPasskey, Passkey
from idp.authenticators.reading import COLUMNS, PASSKEY_FROZEN, TABLES, methods_in
from idp.authenticators.schema import Destination, Methods, PasskeyLine
from kit.db import Row, Tx
from kit.expired import forget


async def methods(tx: Tx, citizen_id: UUID) -> Methods:
    row = await tx.fetchrow(
        f"""
        SELECT w.citizen_id IS NOT NULL AS password, {COLUMNS}
          FROM idp.citizen c
          LEFT JOIN idp.password w ON w.citizen_id = c.citizen_id{TABLES}
         WHERE c.citizen_id = $1""",
        citizen_id,
    )
    if row is None:
        return Methods(password=False, totp=False, code=None)
    return methods_in(row, password=row["password"])


async def lock_methods(tx: Tx, citizen_id: UUID) -> None:
    """Two removals at once must not leave a citizen without any."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended('methods|' || $1::text, 0))", str(citizen_id))


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


async def passkey(tx: Tx, credential_id: bytes) -> Passkey | None:
    """None also for one that its owner froze."""
    row = await tx.fetchrow(
        f"""
        SELECT passkey_id, citizen_id, credential_id, public_key, backup_eligible
          FROM idp.passkey p WHERE credential_id = $1 AND NOT {PASSKEY_FROZEN}""",
        credential_id,
    )
    if row is None:
        return None
    return Passkey(
        passkey_id=row["passkey_id"],
        citizen_id=row["citizen_id"],
        credential_id=row["credential_id"],
        public_key=row["public_key"],
        backup_eligible=row["backup_eligible"],
    )


async def insert_passkey(
    tx: Tx, passkey_id: UUID, citizen_id: UUID, made: NewPasskey, *, name: str, passkeys_max: int
) -> bool:
    """False where the credential is registered already, by whomever, or the citizen has as many as one may have."""
    row = await tx.fetchrow(
        """
        INSERT INTO idp.passkey
               (passkey_id, citizen_id, credential_id, public_key, sign_count, transports,
                backup_eligible, backed_up, name)
        SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9
         WHERE (SELECT count(*) FROM idp.passkey WHERE citizen_id = $2) < $10
        ON CONFLICT (credential_id) DO NOTHING
        RETURNING passkey_id""",
        passkey_id,
        citizen_id,
        made.credential_id,
        made.public_key,
        made.sign_count,
        list(made.transports),
        made.backup_eligible,
        made.backed_up,
        name,
        passkeys_max,
    )
    return row is not None


async def use_passkey(tx: Tx, passkey_id: UUID, *, sign_count: int, backed_up: bool) -> bool:
    """One statement judges and keeps the count; False where it did not grow and the authenticator counts."""
    row = await tx.fetchrow(
        """
        UPDATE idp.passkey SET sign_count = $2, backed_up = $3, last_used_at = now()
         WHERE passkey_id = $1 AND (sign_count < $2 OR (sign_count = 0 AND $2 = 0))
        RETURNING passkey_id""",
        passkey_id,
        sign_count,
        backed_up,
    )
    return row is not None


async def passkeys(tx: Tx, citizen_id: UUID) -> Sequence[PasskeyLine]:
    rows = await tx.fetch(
        """
        SELECT passkey_id, name, backed_up, created_at, last_used_at
          FROM idp.passkey WHERE citizen_id = $1 ORDER BY created_at LIMIT 100""",
        citizen_id,
    )
    return [
        PasskeyLine(
            passkey_id=row["passkey_id"],
            name=row["name"],
            backed_up=row["backed_up"],
            created_at=row["created_at"],
            last_used_at=row["last_used_at"],
        )
        for row in rows
    ]


async def credential_ids(tx: Tx, citizen_id: UUID) -> Sequence[bytes]:
    rows = await tx.fetch("SELECT credential_id FROM idp.passkey WHERE citizen_id = $1 LIMIT 100", citizen_id)
    return [row["credential_id"] for row in rows]


async def rename_passkey(tx: Tx, citizen_id: UUID, passkey_id: UUID, *, name: str) -> bool:
    row = await tx.fetchrow(
        "UPDATE idp.passkey SET name = $3 WHERE passkey_id = $2 AND citizen_id = $1 RETURNING passkey_id",
        citizen_id,
        passkey_id,
        name,
    )
    return row is not None


async def remove_passkey(tx: Tx, citizen_id: UUID, passkey_id: UUID) -> bool:
    row = await tx.fetchrow(
        "DELETE FROM idp.passkey WHERE passkey_id = $2 AND citizen_id = $1 RETURNING passkey_id", citizen_id, passkey_id
    )
    return row is not None


async def remove_all_passkeys(tx: Tx, citizen_id: UUID) -> None:
    await tx.execute("DELETE FROM idp.passkey WHERE citizen_id = $1", citizen_id)


async def spend_challenge(tx: Tx, challenge_sha256: bytes, *, lifetime_s: int) -> bool:
    """Of two callers with the same challenge, one wins."""
    row = await tx.fetchrow(
        """
        INSERT INTO idp.spent_challenge (challenge_sha256, expires_at) VALUES ($1, now() + make_interval(secs => $2))
        ON CONFLICT (challenge_sha256) DO NOTHING
        RETURNING challenge_sha256""",
        challenge_sha256,
        float(lifetime_s),
    )
    return row is not None


async def replace_recovery_codes(tx: Tx, citizen_id: UUID, code_macs: Sequence[bytes]) -> None:
    await tx.execute("DELETE FROM idp.recovery_code WHERE citizen_id = $1", citizen_id)
    await tx.execute(
        "INSERT INTO idp.recovery_code (citizen_id, code_mac) SELECT $1, unnest($2::bytea[])",
        citizen_id,
        list(code_macs),
    )


async def spend_recovery_code(tx: Tx, citizen_id: UUID, code_mac: bytes) -> bool:
    row = await tx.fetchrow(
        """
        UPDATE idp.recovery_code SET spent_at = now()
         WHERE citizen_id = $1 AND code_mac = $2 AND spent_at IS NULL
        RETURNING citizen_id""",
        citizen_id,
        code_mac,
    )
    return row is not None


async def sweep(tx: Tx) -> None:
    await forget(tx, "idp.one_time_code", "expires_at < now() - interval '1 day'")
    await forget(tx, "idp.spent_challenge", "expires_at < now()")
