from collections.abc import Sequence
from uuid import UUID

from idp.authorization.schema import AuthorizationRequest
from idp.token.store import poll_statement
from kit.db import Row, Tx
from kit.expired import forget


async def insert(
    tx: Tx,
    *,
    auth_req_id_sha256: bytes,
    request_id: UUID,
    citizen_id: UUID,
    request: AuthorizationRequest,
    binding_message: str | None,
    number: int | None,
    numbers: Sequence[int] | None,
    interval_s: int,
    lifetime_s: int,
    notification_sealed: bytes | None,
) -> None:
    await tx.execute(
        """
        INSERT INTO idp.backchannel_request
               (auth_req_id_sha256, request_id, client_id, citizen_id, request, binding_message, number, numbers,
                interval_s, expires_at, notification_sealed)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, now() + make_interval(secs => $10), $11)""",
        auth_req_id_sha256,
        request_id,
        request.client_id,
        citizen_id,
        request,
        binding_message,
        number,
        None if numbers is None else list(numbers),
        interval_s,
        float(lifetime_s),
        notification_sealed,
    )


_WAITING = """
    SELECT b.request_id, b.auth_req_id_sha256, b.client_id, b.citizen_id, b.request, b.binding_message, b.number,
           b.numbers, b.created_at, b.expires_at, c.metadata, c.sector
      FROM idp.backchannel_request b JOIN idp.client c USING (client_id)
     WHERE b.state = 'pending' AND b.expires_at > now() AND c.state = 'active'"""


async def select_of_citizen(tx: Tx, citizen_id: UUID, *, count_max: int) -> Sequence[Row]:
    return await tx.fetch(f"{_WAITING} AND b.citizen_id = $1 ORDER BY b.created_at LIMIT $2", citizen_id, count_max)


async def select_one_of_citizen(tx: Tx, citizen_id: UUID, request_id: UUID) -> Row | None:
    return await tx.fetchrow(f"{_WAITING} AND b.citizen_id = $1 AND b.request_id = $2", citizen_id, request_id)


async def select_by_digest(tx: Tx, auth_req_id_sha256: bytes) -> Row | None:
    return await tx.fetchrow(f"{_WAITING} AND b.auth_req_id_sha256 = $1", auth_req_id_sha256)


async def select_waiting(tx: Tx, *, count_max: int) -> Sequence[Row]:
    return await tx.fetch(f"{_WAITING} ORDER BY b.created_at LIMIT $1", count_max)


async def count_waiting(tx: Tx, citizen_id: UUID) -> int:
    value: int = await tx.fetchval(
        """
        SELECT count(*) FROM idp.backchannel_request
         WHERE citizen_id = $1 AND state = 'pending' AND expires_at > now()""",
        citizen_id,
    )
    return value


async def settle(tx: Tx, auth_req_id_sha256: bytes, *, citizen_id: UUID, state: str) -> int | None:
    """Seconds until the auth_req_id ends; None unless it was waiting for this citizen until now. A client that is
    pinged is due one from now on."""
    value: int | None = await tx.fetchval(
        """
        UPDATE idp.backchannel_request
           SET state = $3, ping_at = CASE WHEN notification_sealed IS NOT NULL THEN now() END
         WHERE auth_req_id_sha256 = $1 AND citizen_id = $2 AND state = 'pending' AND expires_at > now()
        RETURNING ceil(extract(epoch FROM expires_at - now()))::integer""",
        auth_req_id_sha256,
        citizen_id,
        state,
    )
    return value


POLL = poll_statement("idp.backchannel_request", "auth_req_id_sha256")


async def claim_pings(tx: Tx, *, count_max: int, tries_max: int, lease_s: int) -> Sequence[Row]:
    """Due pings, each handed to one caller for ``lease_s``, longer each time."""
    return await tx.fetch(
        """
        UPDATE idp.backchannel_request b
           SET ping_tries = ping_tries + 1, ping_at = now() + make_interval(secs => $3 * power(2, ping_tries)::float8)
          FROM (SELECT p.auth_req_id_sha256, c.metadata
                  FROM idp.backchannel_request p JOIN idp.client c USING (client_id)
                 WHERE p.ping_at <= now() AND p.ping_tries < $2 AND c.state = 'active'
                 ORDER BY p.ping_at LIMIT $1 FOR UPDATE OF p SKIP LOCKED) due
         WHERE b.auth_req_id_sha256 = due.auth_req_id_sha256
        RETURNING b.auth_req_id_sha256, b.notification_sealed, b.ping_tries, due.metadata""",
        count_max,
        tries_max,
        float(lease_s),
    )


async def put_off_ping(tx: Tx, auth_req_id_sha256: bytes, *, tries: int, after_s: float) -> None:
    """This try was none, unless another one has begun meanwhile."""
    await tx.execute(
        """
        UPDATE idp.backchannel_request SET ping_tries = ping_tries - 1, ping_at = now() + make_interval(secs => $3)
         WHERE auth_req_id_sha256 = $1 AND ping_tries = $2 AND ping_at IS NOT NULL""",
        auth_req_id_sha256,
        tries,
        after_s,
    )


async def finish_ping(tx: Tx, auth_req_id_sha256: bytes) -> None:
    await tx.execute(
        "UPDATE idp.backchannel_request SET ping_at = NULL, notification_sealed = NULL WHERE auth_req_id_sha256 = $1",
        auth_req_id_sha256,
    )


async def block(tx: Tx, citizen_id: UUID, client_id: str) -> None:
    await tx.execute(
        "INSERT INTO idp.backchannel_block (citizen_id, client_id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        citizen_id,
        client_id,
    )


async def unblock(tx: Tx, citizen_id: UUID, client_id: str) -> bool:
    return bool(
        await tx.fetchval(
            "DELETE FROM idp.backchannel_block WHERE citizen_id = $1 AND client_id = $2 RETURNING true",
            citizen_id,
            client_id,
        )
    )


async def is_blocked(tx: Tx, citizen_id: UUID, client_id: str) -> bool:
    return bool(
        await tx.fetchval(
            "SELECT true FROM idp.backchannel_block WHERE citizen_id = $1 AND client_id = $2", citizen_id, client_id
        )
    )


async def select_blocked(tx: Tx, citizen_id: UUID, *, count_max: int) -> Sequence[Row]:
    return await tx.fetch(
        """
        SELECT k.client_id, k.created_at, c.metadata
          FROM idp.backchannel_block k JOIN idp.client c USING (client_id)
         WHERE k.citizen_id = $1 ORDER BY k.created_at DESC LIMIT $2""",
        citizen_id,
        count_max,
    )


async def sweep(tx: Tx) -> None:
    """A row is kept a day, so that who polls late hears that it expired."""
    await forget(tx, "idp.backchannel_request", "expires_at < now() - interval '1 day'")
