"""The one writer of ``locker.webhook``, ``webhook_key`` and ``webhook_message``."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import msgspec

from kit.db import Row, Tx
from locker.webhooks.schema import DisabledReason, Due, Message, MessageState, Owner, Scheme, SealedKey, Webhook

_WEBHOOK = """webhook_id, coalesce(administration, client_id) AS owner, url, events, disabled_reason, failing_since,
              created_at, CASE WHEN disabled_at IS NULL THEN 'active' ELSE 'disabled' END AS state"""
_OWNED = "(administration = $1 OR client_id = $2)"
_STANDS = "disabled_reason IS DISTINCT FROM 'removed'"
_NEW_MESSAGE_ID = "'msg_' || replace(gen_random_uuid()::text, '-', '')"
# The same value for a row that is to be told now.
_FIRST_STATE = (
    "CASE WHEN {told} AND w.disabled_at IS NULL AND w.webhook_id <> ALL({full}) THEN 'waiting' ELSE 'held' END"
)


async def insert(
    tx: Tx, *, webhook_id: str, owner: Owner, url: str, events: Sequence[str], per_owner_max: int
) -> Webhook | None:
    """None where the owner has as many as one may have. Callers of one owner follow one another (``lock``)."""
    row = await tx.fetchrow(
        f"""
        INSERT INTO locker.webhook (webhook_id, administration, client_id, url, events)
        SELECT $3, $1, $2, $4, $5
         WHERE (SELECT count(*) FROM locker.webhook WHERE {_OWNED} AND {_STANDS}) < $6
        RETURNING {_WEBHOOK}""",
        owner.administration,
        owner.client_id,
        webhook_id,
        url,
        list(events),
        per_owner_max,
    )
    return _webhook(row) if row else None


async def lock(tx: Tx, name: str) -> None:
    """Of an owner or a webhook, until the transaction ends; not a session's lock, so it works behind a pooler."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended('webhooks|' || $1, 0))", name)


async def insert_key(tx: Tx, *, webhook_id: str, key: SealedKey) -> None:
    await tx.execute(
        "INSERT INTO locker.webhook_key (webhook_id, key_id, scheme, sealed) VALUES ($1, $2, $3, $4)",
        webhook_id,
        key.key_id,
        key.scheme,
        key.sealed,
    )


async def end_keys(tx: Tx, *, webhook_id: str, overlap_s: int) -> list[Scheme]:
    """None signs for longer than ``overlap_s`` from now; the schemes of those that were without an end."""
    rows = await tx.fetch(
        """
        WITH was AS (
            SELECT key_id, signs_until FROM locker.webhook_key
             WHERE webhook_id = $1 AND coalesce(signs_until > now() + make_interval(secs => $2), true) FOR UPDATE)
        UPDATE locker.webhook_key k SET signs_until = now() + make_interval(secs => $2)
          FROM was WHERE k.webhook_id = $1 AND k.key_id = was.key_id
        RETURNING k.scheme, was.signs_until""",
        webhook_id,
        float(overlap_s),
    )
    return sorted({row["scheme"] for row in rows if row["signs_until"] is None})


async def count_keys(tx: Tx, *, webhook_id: str) -> int:
    return int(
        await tx.fetchval(
            "SELECT count(*) FROM locker.webhook_key WHERE webhook_id = $1 AND coalesce(signs_until > now(), true)",
            webhook_id,
        )
    )


async def listed(tx: Tx, *, owner: Owner | None, limit: int) -> list[Webhook]:
    rows = await tx.fetch(
        f"""
        SELECT {_WEBHOOK} FROM locker.webhook WHERE ($3 OR {_OWNED}) AND {_STANDS}
         ORDER BY created_at DESC, webhook_id LIMIT $4""",
        owner.administration if owner else None,
        owner.client_id if owner else None,
        owner is None,
        limit,
    )
    return [_webhook(row) for row in rows]


async def find(tx: Tx, *, webhook_id: str, owner: Owner | None) -> Webhook | None:
    """``owner`` None is an officer's look."""
    row = await tx.fetchrow(
        f"SELECT {_WEBHOOK} FROM locker.webhook WHERE webhook_id = $3 AND ($4 OR {_OWNED}) AND {_STANDS}",
        owner.administration if owner else None,
        owner.client_id if owner else None,
        webhook_id,
        owner is None,
    )
    return _webhook(row) if row else None


async def disable(tx: Tx, *, webhook_id: str, reason: DisabledReason) -> bool:
    """True for the one that disables it. An officer's word is the last one, also where it was disabled before."""
    row = await tx.fetchrow(
        """
        UPDATE locker.webhook SET disabled_at = coalesce(disabled_at, now()), disabled_reason = $2
         WHERE webhook_id = $1
           AND (disabled_at IS NULL OR ($2 = 'officer' AND disabled_reason NOT IN ('officer', 'removed')))
        RETURNING webhook_id""",
        webhook_id,
        reason,
    )
    return row is not None


async def remove(tx: Tx, *, webhook_id: str, by_officer: bool) -> bool:
    """Nobody finds it any more; what is on its way to it is held, and its keys sign nothing. False: it was removed
    before, or an officer disabled it and none removes it. Callers follow one another, and rotations (``lock``)."""
    row = await tx.fetchrow(
        f"""
        UPDATE locker.webhook SET disabled_at = coalesce(disabled_at, now()), disabled_reason = 'removed'
         WHERE webhook_id = $1 AND {_STANDS} AND ($2 OR disabled_reason IS DISTINCT FROM 'officer')
        RETURNING webhook_id""",
        webhook_id,
        by_officer,
    )
    if row is not None:
        await tx.execute("DELETE FROM locker.webhook_key WHERE webhook_id = $1", webhook_id)
    return row is not None


async def enable(tx: Tx, *, webhook_id: str, by_officer: bool) -> bool:
    """What an officer disabled, an officer enables."""
    row = await tx.fetchrow(
        """
        UPDATE locker.webhook SET disabled_at = NULL, disabled_reason = NULL, failing_since = NULL
         WHERE webhook_id = $1 AND disabled_at IS NOT NULL AND disabled_reason <> 'removed'
           AND ($2 OR disabled_reason <> 'officer')
        RETURNING webhook_id""",
        webhook_id,
        by_officer,
    )
    return row is not None


async def mark_failing(tx: Tx, *, webhook_id: str, failing_max_s: int, quiet_s: int) -> bool:
    """True for the failure that disables it: nothing was taken for ``failing_max_s``, in which it was tried again and
    again. After ``quiet_s`` without a try it begins anew: weeks in which nothing happened are nobody's failure."""
    row = await tx.fetchrow(
        """
        WITH failing AS (
            SELECT webhook_id,
                   CASE WHEN failed_at < now() - make_interval(secs => $3) THEN now()
                        ELSE coalesce(failing_since, now()) END AS since
              FROM locker.webhook WHERE webhook_id = $1 AND disabled_at IS NULL FOR UPDATE)
        UPDATE locker.webhook w SET
               failed_at = now(),
               failing_since = f.since,
               disabled_at = CASE WHEN f.since < now() - make_interval(secs => $2) THEN now() END,
               disabled_reason = CASE WHEN f.since < now() - make_interval(secs => $2) THEN 'failing' END
          FROM failing f WHERE w.webhook_id = f.webhook_id
        RETURNING w.disabled_at IS NOT NULL AS disabled""",
        webhook_id,
        float(failing_max_s),
        float(quiet_s),
    )
    return bool(row and row["disabled"])


async def mark_taken(tx: Tx, *, webhook_id: str) -> None:
    await tx.execute(
        "UPDATE locker.webhook SET failing_since = NULL WHERE webhook_id = $1 AND failing_since IS NOT NULL", webhook_id
    )


async def full(tx: Tx, *, kind: str, waiting_max: int) -> list[str]:
    """Those for which as many messages wait as may."""
    rows = await tx.fetch(
        """
        SELECT webhook_id FROM locker.webhook w
         WHERE EXISTS (SELECT FROM locker.job j
                        WHERE j.kind = $1 AND j.lane = w.webhook_id AND j.dead_at IS NULL OFFSET $2)""",
        kind,
        waiting_max - 1,
    )
    return [row["webhook_id"] for row in rows]


async def insert_for_administrations(tx: Tx, events: Sequence[Row], *, full: Sequence[str]) -> Sequence[Row]:
    """Of its own documents, to the webhooks that it had then."""
    return await tx.fetch(
        f"""
        INSERT INTO locker.webhook_message (webhook_id, message_id, type, data, occurred_at, state)
        SELECT w.webhook_id, {_NEW_MESSAGE_ID}, e.topic,
               jsonb_build_object('document_id', d.document_id, 'document_type', d.type), e.at,
               {_FIRST_STATE.format(told="a.state = 'active'", full="$5::text[]")}
          FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[]) AS e (owner, topic, document_id, at)
          JOIN locker.document d ON d.owner = e.owner AND d.document_id = e.document_id
          JOIN locker.administration a ON a.administration = d.administration
          JOIN locker.webhook w ON w.administration = d.administration AND e.topic = ANY(w.events)
                               AND w.created_at <= e.at AND {_STANDS}
        RETURNING webhook_id, message_id, state""",
        *_columns(events, "document_id"),
        list(full),
    )


# Made for one relying party, opened by it, and standing: all but what its provider alone knows.
_STILL_SHARED = """s.client_id = $1 AND s.revoked_at IS NULL AND s.until > $3
                     AND NOT EXISTS (SELECT FROM locker.shares_ended n
                                      WHERE n.owner = s.owner AND n.ended_at >= s.created_at)
                     AND EXISTS (SELECT FROM locker.opening o
                                  WHERE o.owner = s.owner AND o.share_id = s.share_id AND o.client_id = s.client_id
                                    AND o.opened_at <= $3)"""


async def still_shared(tx: Tx, *, client_id: str, document_id: str, at: dt.datetime, limit: int) -> list[str | None]:
    """By which of its shares a relying party may know what became of this document ``at`` some time: the connection
    with its citizen on which each depends, the newest first, or None for one that depends on none."""
    rows = await tx.fetch(
        f"""
        SELECT s.grant_id FROM locker.document_uri u
          JOIN locker.share_document sd ON sd.owner = u.owner AND sd.document_id = u.document_id
          JOIN locker.share s ON s.owner = sd.owner AND s.share_id = sd.share_id
         WHERE u.document_id = $2 AND {_STILL_SHARED}
         GROUP BY s.grant_id ORDER BY s.grant_id IS NOT NULL, max(s.created_at) DESC LIMIT $4""",
        client_id,
        document_id,
        at,
        limit,
    )
    return [row["grant_id"] for row in rows]


_MADE_FOR_CLIENTS = f"""
            , numbered AS (SELECT told.*, {_NEW_MESSAGE_ID} AS message_id FROM told
            ), made AS (
            INSERT INTO locker.webhook_message (webhook_id, message_id, type, data, occurred_at, state)
            SELECT webhook_id, message_id, type, data, at, state FROM numbered)
        SELECT webhook_id, message_id, type, state, owner, object_id, client_id FROM numbered"""


async def insert_for_clients(tx: Tx, events: Sequence[Row], *, full: Sequence[str]) -> Sequence[Row]:
    """What became of a document, to relying parties that opened a share of it which was for them alone and that its
    citizen still lets stand. One message for a document, in however many shares it is; nothing in it names a citizen.
    """
    return await tx.fetch(
        f"""
        WITH told AS (
            SELECT DISTINCT w.webhook_id, w.client_id, e.owner, e.document_id AS object_id, e.at,
                   replace(e.topic, 'document.', 'share.document_') AS type,
                   jsonb_build_object('document_id', e.document_id) AS data,
                   {_FIRST_STATE.format(told="true", full="$5::text[]")} AS state
              FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[]) AS e (owner, topic, document_id, at)
              JOIN locker.share_document sd ON sd.owner = e.owner AND sd.document_id = e.document_id
              JOIN locker.share s ON s.owner = sd.owner AND s.share_id = sd.share_id
                                 AND s.client_id IS NOT NULL AND s.revoked_at IS NULL AND s.until > e.at
                                 AND NOT EXISTS (SELECT FROM locker.shares_ended n
                                                  WHERE n.owner = s.owner AND n.ended_at >= s.created_at)
              JOIN locker.webhook w ON w.client_id = s.client_id AND w.created_at <= e.at AND {_STANDS}
                                   AND replace(e.topic, 'document.', 'share.document_') = ANY(w.events)
             WHERE EXISTS (SELECT FROM locker.opening o
                            WHERE o.owner = s.owner AND o.share_id = s.share_id AND o.client_id = s.client_id
                              AND o.opened_at <= e.at)){_MADE_FOR_CLIENTS}""",
        *_columns(events, "document_id"),
        list(full),
    )


async def insert_ended_shares(
    tx: Tx, ended: Sequence[tuple[str, str, dt.datetime]], *, openings_max: int, full: Sequence[str]
) -> Sequence[Row]:
    """Of shares (owner, identifier, when it ended). Named by the openings that the relying party made: the share's own
    identifier is the citizen's."""
    return await tx.fetch(
        f"""
        WITH told AS (
            SELECT w.webhook_id, w.client_id, e.owner, e.share_id AS object_id, e.at, 'share.ended' AS type,
                   jsonb_build_object('opening_ids', opened.ids) AS data,
                   {_FIRST_STATE.format(told="true", full="$5::text[]")} AS state
              FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS e (owner, share_id, at)
              JOIN locker.share s ON s.owner = e.owner AND s.share_id = e.share_id AND s.client_id IS NOT NULL
              JOIN locker.webhook w ON w.client_id = s.client_id AND w.created_at <= e.at AND {_STANDS}
                                   AND 'share.ended' = ANY(w.events)
              CROSS JOIN LATERAL (
                   SELECT array_agg(o.opening_id ORDER BY o.opened_at DESC) AS ids
                     FROM (SELECT opening_id, opened_at FROM locker.opening o
                            WHERE o.owner = s.owner AND o.share_id = s.share_id AND o.client_id = s.client_id
                            ORDER BY opened_at DESC LIMIT $4) o) opened
             WHERE opened.ids IS NOT NULL){_MADE_FOR_CLIENTS}""",
        *([one[place] for one in ended] for place in range(3)),
        openings_max,
        list(full),
    )


async def insert_message(tx: Tx, *, webhook_id: str, type_: str, data: dict[str, Any]) -> str:
    message_id = await tx.fetchval(
        f"""
        INSERT INTO locker.webhook_message (webhook_id, message_id, type, data, occurred_at)
        VALUES ($1, {_NEW_MESSAGE_ID}, $2, $3, now()) RETURNING message_id""",
        webhook_id,
        type_,
        data,
    )
    return str(message_id)


async def due(tx: Tx, *, webhook_id: str, message_id: str) -> Due | None:
    row = await tx.fetchrow(
        """
        SELECT m.webhook_id, m.message_id, m.type, m.data, m.occurred_at, m.state, w.url, w.client_id,
               coalesce(w.administration, w.client_id) AS owner,
               w.disabled_at IS NULL AND coalesce(a.state = 'active', true) AS to_be_told
          FROM locker.webhook_message m JOIN locker.webhook w USING (webhook_id)
          LEFT JOIN locker.administration a ON a.administration = w.administration
         WHERE m.webhook_id = $1 AND m.message_id = $2""",
        webhook_id,
        message_id,
    )
    if row is None:
        return None
    # The newest first: a receiver that tries one after the other finds it at once.
    keys = await tx.fetch(
        """
        SELECT key_id, scheme, sealed FROM locker.webhook_key
         WHERE webhook_id = $1 AND coalesce(signs_until > now(), true) ORDER BY made_at DESC, key_id""",
        webhook_id,
    )
    return Due(**dict(row), keys=[SealedKey(**dict(key)) for key in keys])


async def settle(
    tx: Tx, *, webhook_id: str, message_id: str, state: MessageState, outcome: str | None, attempts: int
) -> None:
    await tx.execute(
        """
        UPDATE locker.webhook_message
           SET state = $3, last_outcome = coalesce($4, last_outcome), attempts = attempts + $5,
               settled_at = CASE WHEN $3 = 'waiting' THEN NULL ELSE now() END
         WHERE webhook_id = $1 AND message_id = $2""",
        webhook_id,
        message_id,
        state,
        outcome,
        attempts,
    )


async def take_for_replay(
    tx: Tx,
    *,
    webhook_id: str,
    message_id: str | None,
    since: dt.datetime | None,
    until: dt.datetime | None,
    states: Sequence[str],
    limit: int,
) -> list[str]:
    """Not what is on its way: of two replays at once, one takes a message."""
    rows = await tx.fetch(
        """
        UPDATE locker.webhook_message SET state = 'waiting', attempts = 0, settled_at = NULL
         WHERE webhook_id = $1 AND state <> 'waiting' AND message_id IN (
               SELECT message_id FROM locker.webhook_message
                WHERE webhook_id = $1 AND state <> 'waiting'
                  AND CASE WHEN $2::text IS NOT NULL THEN message_id = $2
                           ELSE state = ANY($5::text[]) AND ($3::timestamptz IS NULL OR created_at >= $3)
                                AND ($4::timestamptz IS NULL OR created_at < $4) END
                ORDER BY created_at LIMIT $6 FOR UPDATE)
        RETURNING message_id""",
        webhook_id,
        message_id,
        since,
        until,
        list(states),
        limit,
    )
    return [row["message_id"] for row in rows]


async def has_message(tx: Tx, *, webhook_id: str, message_id: str) -> bool:
    return bool(
        await tx.fetchval(
            "SELECT EXISTS (SELECT FROM locker.webhook_message WHERE webhook_id = $1 AND message_id = $2)",
            webhook_id,
            message_id,
        )
    )


async def messages(tx: Tx, *, webhook_id: str, state: str | None, limit: int) -> list[Message]:
    """The newest first."""
    rows = await tx.fetch(
        """
        SELECT message_id, type, data, occurred_at, state, attempts, last_outcome FROM locker.webhook_message
         WHERE webhook_id = $1 AND ($2::text IS NULL OR state = $2)
         ORDER BY created_at DESC, message_id DESC LIMIT $3""",
        webhook_id,
        state,
        limit,
    )
    return [msgspec.convert(dict(row), Message) for row in rows]


async def forget(tx: Tx, *, lifetime_s: int, batch_max: int) -> int:
    rows = await tx.fetch(
        """
        DELETE FROM locker.webhook_message
         WHERE (webhook_id, message_id) IN (
               SELECT webhook_id, message_id FROM locker.webhook_message
                WHERE created_at < now() - make_interval(secs => $1) LIMIT $2)
        RETURNING 1""",
        float(lifetime_s),
        batch_max,
    )
    await tx.execute("DELETE FROM locker.webhook_key WHERE signs_until < now()")
    await tx.execute(
        """
        DELETE FROM locker.webhook w
         WHERE disabled_reason = 'removed'
           AND NOT EXISTS (SELECT FROM locker.webhook_message m WHERE m.webhook_id = w.webhook_id)
           AND NOT EXISTS (SELECT FROM locker.webhook_key k WHERE k.webhook_id = w.webhook_id)"""
    )
    return len(rows)


def _columns(events: Sequence[Row], member: str) -> list[list[Any]]:
    return [
        [row["owner"] for row in events],
        [row["topic"] for row in events],
        [row["body"][member] for row in events],
        [row["created_at"] for row in events],
    ]


def _webhook(row: Any) -> Webhook:
    return msgspec.convert(dict(row), Webhook)
