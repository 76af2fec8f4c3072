from uuid import UUID

from idp.authenticators.reading import COLUMNS, TABLES, methods_in
from idp.recovery.schema import Asker, Opened, Waiting
from kit.db import Row, Tx
from kit.expired import forget


async def asker(tx: Tx, uid: str) -> Asker | None:
    """Who is active under this identifier."""
    row = await tx.fetchrow(
        f"""
        SELECT c.citizen_id, c.uid, c.claims, c.locale, {COLUMNS}
          FROM idp.citizen c{TABLES}
         WHERE c.uid = $1 AND c.state = 'active'""",
        uid,
    )
    return None if row is None else _asker(row)


def _asker(row: Row) -> Asker:
    return Asker(
        citizen_id=row["citizen_id"],
        uid=row["uid"],
        claims=row["claims"],
        locale=row["locale"],
        methods=methods_in(row, password=True),
    )


async def insert_link(tx: Tx, token_sha256: bytes, *, citizen_id: UUID, channel: str, lifetime_s: int) -> None:
    """The newest link of a channel is the only one that opens."""
    await tx.execute(
        "DELETE FROM idp.recovery_link WHERE citizen_id = $1 AND channel = $2 AND browser_sha256 IS NULL",
        citizen_id,
        channel,
    )
    await tx.execute(
        """
        INSERT INTO idp.recovery_link (token_sha256, citizen_id, channel, expires_at)
        VALUES ($1, $2, $3, now() + make_interval(secs => $4))""",
        token_sha256,
        citizen_id,
        channel,
        float(lifetime_s),
    )


async def open_link(tx: Tx, token_sha256: bytes, *, browser_sha256: bytes, open_s: int) -> bool:
    """Spend the link: once, in time, and from now on it belongs to this browser.

    What the browser had open before is closed, but never the link itself: of two presses of the button the second is
    refused and takes nothing from the first.
    """
    await tx.execute(
        "DELETE FROM idp.recovery_link WHERE browser_sha256 = $1 AND token_sha256 <> $2", browser_sha256, token_sha256
    )
    row = await tx.fetchrow(
        """
        UPDATE idp.recovery_link SET browser_sha256 = $2, opened_until = now() + make_interval(secs => $3)
         WHERE token_sha256 = $1 AND browser_sha256 IS NULL AND expires_at > now()
        RETURNING citizen_id""",
        token_sha256,
        browser_sha256,
        float(open_s),
    )
    return row is not None


_OPENED = f"""l.channel AS link_channel, l.tries, l.proven_at IS NOT NULL AS proven, l.token_sha256,
               c.citizen_id, c.uid, c.claims, c.locale, t.secret_sealed,
               extract(epoch FROM now())::float8 AS now_s, {COLUMNS}"""


def _opened(row: Row | None) -> Opened | None:
    if row is None:
        return None
    return Opened(
        who=_asker(row),
        channel=row["link_channel"],
        binding=row["token_sha256"].hex(),
        proven=row["proven"],
        secret_sealed=row["secret_sealed"],
        now_s=row["now_s"],
    )


async def opened(tx: Tx, browser_sha256: bytes) -> Opened | None:
    return _opened(
        await tx.fetchrow(
            f"""
            SELECT {_OPENED}
              FROM idp.recovery_link l
              JOIN idp.citizen c USING (citizen_id){TABLES}
             WHERE l.browser_sha256 = $1 AND l.opened_until > now() AND c.state = 'active'""",
            browser_sha256,
        )
    )


async def take_a_try(tx: Tx, browser_sha256: bytes, *, tries_max: int) -> Opened | None:
    """Counted before anything is compared; None where there is nothing opened, or its tries are used up."""
    return _opened(
        await tx.fetchrow(
            f"""
            UPDATE idp.recovery_link l SET tries = l.tries + 1
              FROM idp.citizen c{TABLES}
             WHERE l.browser_sha256 = $1 AND l.opened_until > now() AND l.tries < $2
               AND c.citizen_id = l.citizen_id AND c.state = 'active'
            RETURNING {_OPENED}""",
            browser_sha256,
            tries_max,
        )
    )


async def prove(tx: Tx, browser_sha256: bytes) -> None:
    await tx.execute("UPDATE idp.recovery_link SET proven_at = now() WHERE browser_sha256 = $1", browser_sha256)


async def spend(tx: Tx, browser_sha256: bytes) -> bool:
    """The last step: of two callers one goes through, and only with the second proof."""
    row = await tx.fetchrow(
        """
        DELETE FROM idp.recovery_link
         WHERE browser_sha256 = $1 AND opened_until > now() AND proven_at IS NOT NULL
        RETURNING citizen_id""",
        browser_sha256,
    )
    return row is not None


async def close(tx: Tx, browser_sha256: bytes) -> None:
    await tx.execute("DELETE FROM idp.recovery_link WHERE browser_sha256 = $1", browser_sha256)


async def begin_wait(tx: Tx, recovery_id: UUID, citizen_id: UUID, *, wait_s: int, open_s: int) -> bool:
    """False where one runs already."""
    await tx.execute(
        """
        UPDATE idp.recovery_wait SET stopped_at = ends_at
         WHERE citizen_id = $1 AND stopped_at IS NULL AND finished_at IS NULL AND ends_at <= now()""",
        citizen_id,
    )
    row = await tx.fetchrow(
        """
        INSERT INTO idp.recovery_wait (recovery_id, citizen_id, ready_at, ends_at)
        VALUES ($1, $2, now() + make_interval(secs => $3), now() + make_interval(secs => $3 + $4))
        ON CONFLICT (citizen_id) WHERE stopped_at IS NULL AND finished_at IS NULL DO NOTHING
        RETURNING recovery_id""",
        recovery_id,
        citizen_id,
        float(wait_s),
        float(open_s),
    )
    return row is not None


async def waiting(tx: Tx, citizen_id: UUID) -> Waiting | None:
    row = await tx.fetchrow(
        """
        SELECT recovery_id, ready_at, ready_at <= now() AS ready FROM idp.recovery_wait
         WHERE citizen_id = $1 AND stopped_at IS NULL AND finished_at IS NULL AND ends_at > now()""",
        citizen_id,
    )
    return None if row is None else Waiting(row["recovery_id"], row["ready_at"], row["ready"])


async def stop_wait(tx: Tx, recovery_id: UUID) -> UUID | None:
    """Whose it was; None where nothing ran any more."""
    citizen_id: UUID | None = await tx.fetchval(
        """
        UPDATE idp.recovery_wait SET stopped_at = now()
         WHERE recovery_id = $1 AND stopped_at IS NULL AND finished_at IS NULL AND ends_at > now()
        RETURNING citizen_id""",
        recovery_id,
    )
    return citizen_id


async def finish_wait(tx: Tx, citizen_id: UUID) -> bool:
    """Only after the whole time, and only where nobody stopped it."""
    row = await tx.fetchrow(
        """
        UPDATE idp.recovery_wait SET finished_at = now()
         WHERE citizen_id = $1 AND stopped_at IS NULL AND finished_at IS NULL
           AND ready_at <= now() AND ends_at > now()
        RETURNING recovery_id""",
        citizen_id,
    )
    return row is not None


async def settle(tx: Tx, citizen_id: UUID) -> None:
    """Seen at a desk again: earlier recoveries no longer count against the citizen, and none runs on."""
    await tx.execute(
        """
        UPDATE idp.recovery_wait
           SET settled_at = now(), stopped_at = CASE WHEN finished_at IS NULL THEN coalesce(stopped_at, now()) END
         WHERE citizen_id = $1 AND settled_at IS NULL""",
        citizen_id,
    )


async def claim_due_notices(tx: Tx, *, count_max: int) -> list[Row]:
    """Once a day, and once when the time is over; each row to one worker."""
    return list(
        await tx.fetch(
            """
            UPDATE idp.recovery_wait w SET told_at = now(), ready_told = w.ready_at <= now()
              FROM idp.citizen c
             WHERE c.citizen_id = w.citizen_id AND w.recovery_id IN (
                   SELECT recovery_id FROM idp.recovery_wait
                    WHERE stopped_at IS NULL AND finished_at IS NULL AND ends_at > now()
                      AND (told_at < now() - interval '1 day' OR (ready_at <= now() AND NOT ready_told))
                    ORDER BY told_at LIMIT $1 FOR UPDATE SKIP LOCKED)
            RETURNING w.recovery_id, w.ready_at <= now() AS ready, w.ready_at, c.citizen_id, c.claims, c.locale""",
            count_max,
        )
    )


async def sweep(tx: Tx) -> None:
    await forget(tx, "idp.recovery_link", "expires_at < now() - interval '1 day'")
