"""The one writer of ``locker.request_purpose``, ``document_request``, ``request_answer``, ``authorized_share`` and
``request_figure``."""

import datetime as dt
from collections.abc import Sequence
from typing import Literal

import msgspec

from kit.db import Tx
from kit.expired import forget
from locker.requests.schema import (
    Asked,
    Candidate,
    DocumentRequest,
    Figure,
    KeptAuthorization,
    Purpose,
    PurposeRegistration,
)

Counted = Literal["asked", "refused", "given", "declined"]

_PURPOSE = "p.client_id, p.purpose_id, p.version, p.names, p.purpose, p.documents"


async def register(tx: Tx, new: PurposeRegistration) -> int:
    """Its version: one more where something changed."""
    version = await tx.fetchval(
        """
        INSERT INTO locker.request_purpose AS p (client_id, purpose_id, names, purpose, documents)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (client_id, purpose_id) DO UPDATE SET
            names = excluded.names, purpose = excluded.purpose, documents = excluded.documents, changed_at = now(),
            withdrawn_at = NULL, version = p.version + 1
        RETURNING version""",
        new.client_id,
        new.purpose_id,
        msgspec.to_builtins(new.names),
        msgspec.to_builtins(new.purpose),
        msgspec.to_builtins(new.documents),
    )
    assert isinstance(version, int)
    return version


async def withdraw(tx: Tx, *, client_id: str, purpose_id: str) -> bool:
    done = await tx.execute(
        """
        UPDATE locker.request_purpose SET withdrawn_at = now(), changed_at = now()
         WHERE client_id = $1 AND purpose_id = $2 AND withdrawn_at IS NULL""",
        client_id,
        purpose_id,
    )
    return done.endswith(" 1")


async def purpose(tx: Tx, *, client_id: str, purpose_id: str) -> Purpose | None:
    row = await tx.fetchrow(
        f"""
        SELECT {_PURPOSE} FROM locker.request_purpose p
         WHERE p.client_id = $1 AND p.purpose_id = $2 AND p.withdrawn_at IS NULL""",
        client_id,
        purpose_id,
    )
    return None if row is None else msgspec.convert(dict(row), Purpose)


async def purposes(tx: Tx, *, limit: int) -> list[Purpose]:
    rows = await tx.fetch(
        f"""
        SELECT {_PURPOSE} FROM locker.request_purpose p WHERE p.withdrawn_at IS NULL
         ORDER BY p.client_id, p.purpose_id LIMIT $1""",
        limit,
    )
    return [msgspec.convert(dict(row), Purpose) for row in rows]


async def insert(
    tx: Tx,
    *,
    request_id: str,
    token_sha256: bytes,
    client_id: str,
    purpose_id: str,
    documents: Sequence[Asked],
    lifetime_s: int,
) -> None:
    await tx.execute(
        """
        INSERT INTO locker.document_request
               (request_id, token_sha256, client_id, purpose_id, documents, expires_at)
        VALUES ($1, $2, $3, $4, $5, now() + make_interval(secs => $6))""",
        request_id,
        token_sha256,
        client_id,
        purpose_id,
        msgspec.to_builtins(list(documents)),
        float(lifetime_s),
    )


_REQUEST = """
        SELECT r.request_id, r.client_id, r.purpose_id, r.documents, r.link_sealed, r.expires_at,
               CASE WHEN r.state = 'waiting' AND r.expires_at <= now() THEN 'expired' ELSE r.state END AS state,
               p.names, p.purpose, p.version AS purpose_version, p.documents AS registered
          FROM locker.document_request r
          JOIN locker.request_purpose p ON p.client_id = r.client_id AND p.purpose_id = r.purpose_id"""


async def by_token(tx: Tx, *, token_sha256: bytes) -> DocumentRequest | None:
    """One that waits, of a purpose that still stands."""
    row = await tx.fetchrow(
        f"""{_REQUEST}
         WHERE r.token_sha256 = $1 AND r.state = 'waiting' AND r.expires_at > now() AND p.withdrawn_at IS NULL""",
        token_sha256,
    )
    return None if row is None else msgspec.convert(dict(row), DocumentRequest)


async def by_id(tx: Tx, *, request_id: str, client_id: str) -> DocumentRequest | None:
    row = await tx.fetchrow(f"{_REQUEST} WHERE r.request_id = $1 AND r.client_id = $2", request_id, client_id)
    return None if row is None else msgspec.convert(dict(row), DocumentRequest)


async def answer(tx: Tx, *, request_id: str, purpose_version: int, state: str, link_sealed: bytes | None) -> bool:
    """Once, by whoever is first; never after its time, and never for a purpose that was withdrawn or changed since it
    was looked at."""
    done = await tx.execute(
        """
        UPDATE locker.document_request r SET state = $2, link_sealed = $3, answered_at = now()
          FROM locker.request_purpose p
         WHERE r.request_id = $1 AND r.state = 'waiting' AND r.expires_at > now()
           AND p.client_id = r.client_id AND p.purpose_id = r.purpose_id AND p.withdrawn_at IS NULL
           AND p.version = $4""",
        request_id,
        state,
        link_sealed,
        purpose_version,
    )
    return done.endswith(" 1")


async def keep_answer(tx: Tx, request: DocumentRequest, *, owner: str, share_id: str | None) -> None:
    await tx.execute(
        """
        INSERT INTO locker.request_answer (owner, request_id, client_id, purpose_id, documents, share_id)
        VALUES ($1, $2, $3, $4, $5, $6)""",
        owner,
        request.request_id,
        request.client_id,
        request.purpose_id,
        msgspec.to_builtins(request.documents),
        share_id,
    )


async def last_answer(tx: Tx, *, owner: str, client_id: str, purpose_id: str) -> list[Asked] | None:
    """What was asked for when this citizen last gave something for this purpose; of who never gave, the last time that
    they were asked: a no is not what makes it usual to be asked for more."""
    found = await tx.fetchval(
        """
        SELECT documents FROM locker.request_answer
         WHERE owner = $1 AND client_id = $2 AND purpose_id = $3
         ORDER BY share_id IS NULL, answered_at DESC LIMIT 1""",
        owner,
        client_id,
        purpose_id,
    )
    return None if found is None else msgspec.convert(found, list[Asked])


async def authorized(tx: Tx, *, owner: str, grant_id: str, detail_key: bytes) -> KeptAuthorization | None:
    row = await tx.fetchrow(
        """
        SELECT share_id, link_sealed FROM locker.authorized_share
         WHERE owner = $1 AND grant_id = $2 AND detail_key = $3""",
        owner,
        grant_id,
        detail_key,
    )
    return None if row is None else msgspec.convert(dict(row), KeptAuthorization)


async def keep_authorized(
    tx: Tx,
    *,
    owner: str,
    grant_id: str,
    detail_key: bytes,
    purpose: Purpose,
    share_id: str,
    link_sealed: bytes,
    over_at: dt.datetime,
    instead_of: str | None,
) -> bool:
    """The first share of a detail, or the next one ``instead_of`` that which was seen to be over. False where somebody
    else was first: of those who come at once the others wait here for the first one's commit. False also where the
    purpose was withdrawn or changed since it was looked at."""
    done = await tx.execute(
        """
        INSERT INTO locker.authorized_share AS a
               (owner, grant_id, detail_key, client_id, purpose_id, share_id, link_sealed, over_at)
        SELECT $1, $2, $3, p.client_id, p.purpose_id, $6, $7, $8
          FROM locker.request_purpose p
         WHERE p.client_id = $4 AND p.purpose_id = $5 AND p.withdrawn_at IS NULL AND p.version = $10
        ON CONFLICT (owner, grant_id, detail_key) DO UPDATE SET
            share_id = excluded.share_id, link_sealed = excluded.link_sealed, made_at = now()
         WHERE a.share_id = $9""",
        owner,
        grant_id,
        detail_key,
        purpose.client_id,
        purpose.purpose_id,
        share_id,
        link_sealed,
        over_at,
        instead_of,
        purpose.version,
    )
    return done.endswith(" 1")


async def candidates(tx: Tx, *, owner: str, type_: str, limit: int) -> list[Candidate]:
    rows = await tx.fetch(
        """
        SELECT d.document_id, a.names AS issuer_names, d.valid_until
          FROM locker.document d JOIN locker.administration a ON a.administration = d.administration
         WHERE d.owner = $1 AND d.type = $2 AND d.state = 'valid'
           AND (d.valid_until IS NULL OR d.valid_until >= (now() AT TIME ZONE 'UTC')::date)
         ORDER BY d.deposited_at DESC, d.document_id DESC LIMIT $3""",
        owner,
        type_,
        limit,
    )
    return [msgspec.convert(dict(row), Candidate) for row in rows]


async def count(tx: Tx, *, client_id: str, what: Counted) -> None:
    await tx.execute(
        f"""
        INSERT INTO locker.request_figure AS f (client_id, month, {what})
        VALUES ($1, date_trunc('month', now() AT TIME ZONE 'UTC')::date, 1)
        ON CONFLICT (client_id, month) DO UPDATE SET {what} = f.{what} + 1""",
        client_id,
    )


async def figures(tx: Tx, *, months: int, limit: int) -> list[Figure]:
    rows = await tx.fetch(
        """
        SELECT client_id, month, asked, refused, given / 10 * 10 AS given, declined / 10 * 10 AS declined
          FROM locker.request_figure
         WHERE month > date_trunc('month', now() AT TIME ZONE 'UTC')::date - make_interval(months => $1)
         ORDER BY month DESC, refused DESC, client_id LIMIT $2""",
        months,
        limit,
    )
    return [msgspec.convert(dict(row), Figure) for row in rows]


async def sweep(tx: Tx, *, kept_s: float) -> None:
    """Requests that have been over for so long; what citizens answered stays with them. Of what they allowed at
    sign-in, what nobody can ask for again: its shares stay in their lists."""
    await forget(tx, "locker.document_request", "expires_at < now() - make_interval(secs => $1)", kept_s)
    await forget(tx, "locker.authorized_share", "over_at < now() - make_interval(secs => $1)", kept_s)
