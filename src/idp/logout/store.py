from collections.abc import Sequence
from uuid import UUID

from idp.clients.store import columns
from kit.counting import count_up_to
from kit.db import Row, Tx
from kit.expired import forget

# An ID token was given in these sessions; a device's or a CIBA grant is not part of a browser's session.
_TOOK_PART = """
    SELECT DISTINCT f.client_id, f.citizen_id, f.sid, f.sub
      FROM idp.token_family f
     WHERE f.sid = ANY($1) AND f.kind = 'authorization_code' AND 'openid' = ANY(f.scopes)"""

_CLAIM = f"""
    UPDATE idp.logout_notice n
       SET tries = n.tries + 1,
           next_try_at = now() + make_interval(secs => least($2 * power(4, least(n.tries, 10)), $3))
      FROM idp.client c
     WHERE c.client_id = n.client_id AND n.notice_id IN (
           SELECT notice_id FROM idp.logout_notice
            WHERE settled_at IS NULL AND next_try_at <= now()
            ORDER BY next_try_at
            LIMIT $1
              FOR UPDATE SKIP LOCKED)
    RETURNING n.notice_id, n.citizen_id, n.sid, n.sub, n.tries, n.next_try_at >= n.expires_at AS is_last,
              n.expires_at <= now() AS is_over,
              {columns("c", "0")}"""


async def insert_notices(tx: Tx, sids: Sequence[str], *, lifetime_s: int) -> None:
    await tx.execute(
        f"""
        INSERT INTO idp.logout_notice (client_id, citizen_id, sid, sub, expires_at)
        SELECT t.client_id, t.citizen_id, t.sid, t.sub, now() + make_interval(secs => $2)
          FROM ({_TOOK_PART}) t JOIN idp.client c USING (client_id)
         WHERE c.metadata ->> 'backchannel_logout_uri' IS NOT NULL
        ON CONFLICT DO NOTHING""",
        list(sids),
        float(lifetime_s),
    )


async def claim(tx: Tx, *, count_max: int, first_delay_s: float, delay_max_s: float) -> Sequence[Row]:
    """Due notices with their clients, each handed to one caller until its next try: later after each."""
    return await tx.fetch(_CLAIM, count_max, first_delay_s, delay_max_s)


async def put_off(tx: Tx, notice_id: UUID, *, tries: int, after_s: float) -> None:
    """This try was none, unless another one has begun meanwhile."""
    await tx.execute(
        """
        UPDATE idp.logout_notice SET tries = tries - 1, next_try_at = now() + make_interval(secs => $3)
         WHERE notice_id = $1 AND tries = $2 AND settled_at IS NULL""",
        notice_id,
        tries,
        after_s,
    )


async def settle(tx: Tx, notice_id: UUID, *, status: int | None) -> bool:
    """True for the one that settles it."""
    return bool(
        await tx.fetchval(
            """
            UPDATE idp.logout_notice SET settled_at = now(), status = $2
             WHERE notice_id = $1 AND settled_at IS NULL
            RETURNING true""",
            notice_id,
            status,
        )
    )


async def select_frames(tx: Tx, sid: str, *, count_max: int) -> Sequence[Row]:
    """Addresses for the browser, of the clients that took part and still stand."""
    return await tx.fetch(
        f"""
        SELECT DISTINCT c.client_id, c.metadata ->> 'frontchannel_logout_uri' AS uri
          FROM ({_TOOK_PART}) t JOIN idp.client c USING (client_id)
         WHERE c.state = 'active' AND c.metadata ->> 'frontchannel_logout_uri' IS NOT NULL
         ORDER BY uri, client_id
         LIMIT $2""",
        [sid],
        count_max,
    )


async def count_waiting(tx: Tx) -> int:
    return await count_up_to(tx, "idp.logout_notice WHERE settled_at IS NULL")


async def sweep(tx: Tx) -> None:
    await forget(tx, "idp.logout_notice", "expires_at < now() - interval '2 days'")
