"""The one writer of ``locker.share``, ``share_document``, ``share_draft``, ``opening`` and ``shares_ended``."""

import datetime as dt
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from kit.audit import Audit, AuditEvent
from kit.db import Tx
from kit.expired import forget
from locker.access.cursor import Position
from locker.disclosing.schema import Sealed
from locker.documents.read_store import HELD, HELD_FROM, STANDING, held
from locker.shares.caveats import CAVEATS_MAX, KNOWN, Caveat, Openings, Until, understood
from locker.shares.schema import CredentialRow, Link, Opened, Opening, OpeningLine, Share, SharedItem, ShareDraft
from locker.uploads.schema import GivenUpload
from locker.uploads.store import SERVED

# By its own row, or by the one that ended all.
_ENDED_AT = """coalesce(s.revoked_at, (SELECT e.ended_at FROM locker.shares_ended e
                                        WHERE e.owner = s.owner AND e.ended_at >= s.created_at
                                          AND e.ended_at < s.until))"""
_STANDS = f"{_ENDED_AT} IS NULL AND s.until > now()"
_LIVE = f"{_STANDS} AND coalesce(s.open_until, s.until) > now() AND s.openings_used < s.openings_max"
# Of a later version's limits nothing is known here but that they narrow.
_UNDERSTOOD = f"""NOT EXISTS (SELECT FROM jsonb_array_elements(s.caveats) AS c
                                WHERE coalesce(c ->> 'type', '') <> ALL ('{{{",".join(KNOWN)}}}'))"""
_LINK = f"""s.owner, s.share_id, {_LIVE} AND {_UNDERSTOOD} AS live, s.purpose, s.pin_mac, s.client_id, s.grant_id,
            s.key_wrapped, s.code_wrapped"""
_ENTITLED = """(a.state = 'active' AND EXISTS (SELECT 1 FROM locker.entitlement e
                                                WHERE e.administration = d.administration AND e.type = d.type))"""
_SHARED = f"{_ENTITLED} AS entitled, sd.fields, sd.credential_sealed"
_SHARED_FROM = HELD_FROM.replace(
    "locker.document d", "locker.document d ON d.owner = sd.owner AND d.document_id = sd.document_id", 1
)
_SHARE_SELECT = f"""
        SELECT s.share_id, s.recipient, s.purpose, s.until, least(s.open_until, s.until) AS open_until,
               s.open_until IS NOT NULL AS face_to_face, s.openings_max, s.openings_used,
               s.pin_mac IS NOT NULL AS has_pin, s.client_id, s.grant_id IS NOT NULL AS while_connected, s.view_only,
               s.created_at, s.last_opened_at,
               {_ENDED_AT} AS revoked_at, {_LIVE} AS live, s.caveats,
               (SELECT coalesce(jsonb_agg(jsonb_build_object(
                            'document_id', d.document_id, 'type', d.type, 'type_names', t.names,
                            'standing', {STANDING}, 'fields', sd.fields) ORDER BY sd.position), '[]')
                  FROM locker.share_document sd
                  JOIN locker.document d ON d.owner = sd.owner AND d.document_id = sd.document_id
                  JOIN locker.document_type t ON t.type = d.type
                 WHERE sd.owner = s.owner AND sd.share_id = s.share_id) AS documents,
               (SELECT coalesce(jsonb_agg(su.upload_id ORDER BY su.position), '[]')
                  FROM locker.share_upload su
                 WHERE su.owner = s.owner AND su.share_id = s.share_id) AS uploads
          FROM locker.share s"""


# With a share its credentials go, and what their openers could unwrap.
_FORGOTTEN = """credentials AS (
            UPDATE locker.share_document sd SET credential_sealed = NULL FROM over
             WHERE sd.owner = over.owner AND sd.share_id = over.share_id AND sd.credential_sealed IS NOT NULL
        ), openers AS (
            UPDATE locker.opening o SET key_wrapped = NULL FROM over
             WHERE o.owner = over.owner AND o.share_id = over.share_id AND o.key_wrapped IS NOT NULL
        )"""


async def begin_draft(tx: Tx, draft: ShareDraft, *, owner: str, draft_id: str, lifetime_s: int) -> None:
    await tx.execute(
        """
        INSERT INTO locker.share_draft (owner, draft_id, answers, expires_at)
        VALUES ($1, $2, $3, now() + make_interval(secs => $4))""",
        owner,
        draft_id,
        msgspec.to_builtins(draft),
        float(lifetime_s),
    )


async def change_draft(
    tx: Tx,
    answers: dict[str, Any],
    *,
    owner: str,
    draft_id: str,
    lifetime_s: int,
    pin_mac: bytes | UnsetType | None = UNSET,
) -> bool:
    """These answers and no others, whatever another window says at the same time. False: there is no such draft, or it
    became a share."""
    row = await tx.fetchrow(
        """
        UPDATE locker.share_draft
           SET answers = answers || $3::jsonb, expires_at = now() + make_interval(secs => $4),
               pin_mac = CASE WHEN $5 THEN $6 ELSE pin_mac END
         WHERE owner = $1 AND draft_id = $2 AND expires_at > now() RETURNING draft_id""",
        owner,
        draft_id,
        answers,
        float(lifetime_s),
        pin_mac is not UNSET,
        None if pin_mac is UNSET else pin_mac,
    )
    return row is not None


async def draft(tx: Tx, *, owner: str, draft_id: str) -> tuple[ShareDraft, bytes | None] | None:
    row = await tx.fetchrow(
        """
        SELECT answers, pin_mac FROM locker.share_draft WHERE owner = $1 AND draft_id = $2 AND expires_at > now()""",
        owner,
        draft_id,
    )
    return _draft(row)


async def spend_draft(tx: Tx, *, owner: str, draft_id: str) -> tuple[ShareDraft, bytes | None] | None:
    """Once: a second click makes no second share."""
    row = await tx.fetchrow(
        """
        DELETE FROM locker.share_draft WHERE owner = $1 AND draft_id = $2 AND expires_at > now()
        RETURNING answers, pin_mac""",
        owner,
        draft_id,
    )
    return _draft(row)


async def insert(
    tx: Tx,
    *,
    owner: str,
    share_id: str,
    token_sha256: bytes,
    caveats: Sequence[Caveat],
    recipient: str,
    purpose: str,
    until: dt.datetime,
    open_until: dt.datetime | None,
    openings_max: int,
    pin_mac: bytes | None,
    client_id: str | None,
    grant_id: str | None,
    view_only: bool,
    key_wrapped: bytes | None,
    code_mac: bytes | None,
    code_wrapped: bytes | None,
    lifetime_max_s: int,
) -> bool:
    """False where ``until`` is not in the time that a share may last."""
    done = await tx.execute(
        """
        INSERT INTO locker.share
               (owner, share_id, token_sha256, caveats, recipient, purpose, until, openings_max, pin_mac, client_id,
                view_only, open_until, key_wrapped, code_mac, code_wrapped, grant_id)
        SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $13, $14, $15, $16, $17
         WHERE $7 > now() AND $7 <= now() + make_interval(secs => $12)""",
        owner,
        share_id,
        token_sha256,
        msgspec.to_builtins(list(caveats)),
        recipient,
        purpose,
        until,
        openings_max,
        pin_mac,
        client_id,
        view_only,
        float(lifetime_max_s),
        open_until,
        key_wrapped,
        code_mac,
        code_wrapped,
        grant_id,
    )
    return done.endswith(" 1")


async def insert_documents(
    tx: Tx, *, owner: str, share_id: str, document_ids: Sequence[str], sealed: Sequence[Sealed]
) -> int:
    """How many of them this citizen holds, each now part of the share: whole, or ``sealed`` fields of it. One that goes
    meanwhile, with all that its owner has, is waited for and not held."""
    done = await tx.execute(
        """
        INSERT INTO locker.share_document
               (owner, share_id, document_id, position, fields, credential_id, credential_sealed)
        SELECT d.owner, $2, d.document_id, wanted.position, part.fields, part.credential_id, part.credential_sealed
          FROM unnest($3::text[]) WITH ORDINALITY AS wanted (document_id, position)
          JOIN locker.document d ON d.owner = $1 AND d.document_id = wanted.document_id
          LEFT JOIN (SELECT p.document_id, p.credential_id, p.credential_sealed,
                            ARRAY (SELECT jsonb_array_elements_text(p.fields::jsonb)) AS fields
                       FROM unnest($4::text[], $5::text[], $6::text[], $7::bytea[])
                            AS p (document_id, fields, credential_id, credential_sealed)) AS part
                 ON part.document_id = wanted.document_id
           FOR KEY SHARE OF d""",
        owner,
        share_id,
        list(document_ids),
        [each.document_id for each in sealed],
        [msgspec.json.encode(each.fields).decode() for each in sealed],
        [each.credential_id for each in sealed],
        [each.credential_sealed for each in sealed],
    )
    return int(done.rsplit(" ", 1)[1])


async def narrow(
    tx: Tx, *, owner: str, share_id: str, until: dt.datetime | None, openings_max: int | None
) -> bool | None:
    """None: no living share. False: it would become wider, or was narrowed so often that it can only end."""
    row = await tx.fetchrow(
        f"""
        SELECT s.until, s.openings_max, jsonb_array_length(s.caveats) AS caveats FROM locker.share s
         WHERE s.owner = $1 AND s.share_id = $2 AND {_LIVE} FOR UPDATE""",
        owner,
        share_id,
    )
    if row is None:
        return None
    if (until is not None and until > row["until"]) or (openings_max or 0) > row["openings_max"]:
        return False
    appended: list[Caveat] = []
    if until is not None and until < row["until"]:
        appended.append(Until(until))
    if openings_max is not None and openings_max < row["openings_max"]:
        appended.append(Openings(openings_max))
    if row["caveats"] + len(appended) > CAVEATS_MAX:
        return False
    await tx.execute(
        """
        UPDATE locker.share
           SET caveats = caveats || $3::jsonb,
               until = coalesce($4, until),
               openings_max = greatest(openings_used, coalesce($5, openings_max))
         WHERE owner = $1 AND share_id = $2""",
        owner,
        share_id,
        msgspec.to_builtins(appended),
        until,
        openings_max,
    )
    return True


async def revoke(tx: Tx, *, owner: str, share_id: str) -> bool:
    """False: it is none of this citizen's, or was over already. Nothing that is kept opens its fields after."""
    row = await tx.fetchrow(
        f"""
        WITH over AS (
            UPDATE locker.share s SET revoked_at = now(), key_wrapped = NULL, code_mac = NULL, code_wrapped = NULL
             WHERE s.owner = $1 AND s.share_id = $2 AND {_STANDS}
            RETURNING s.owner, s.share_id
        ), {_FORGOTTEN}
        SELECT share_id FROM over""",
        owner,
        share_id,
    )
    return row is not None


async def end_all(tx: Tx, *, owner: str) -> tuple[int, list[str]]:
    """Whatever this citizen shared until now; how many stood, and which of them were for one service. Of two that come
    at once the later time holds, in whatever order they commit: what one of them ended stays ended."""
    row = await tx.fetchrow(
        f"""
        WITH ended AS (
            INSERT INTO locker.shares_ended AS e (owner, ended_at) VALUES ($1, now())
            ON CONFLICT (owner) DO UPDATE
               SET ended_at = greatest(e.ended_at, excluded.ended_at), settled_at = NULL
        )
        SELECT count(*) AS stood,
               coalesce(array_agg(s.share_id) FILTER (WHERE s.client_id IS NOT NULL), '{{}}') AS bound
          FROM locker.share s WHERE s.owner = $1 AND {_STANDS}""",
        owner,
    )
    assert row is not None
    return row["stood"], row["bound"]


async def unsettled(tx: Tx, *, limit: int) -> list[str]:
    """Citizens whose shares ended, longest ago first, and whose rows do not all say so yet."""
    rows = await tx.fetch(
        "SELECT owner FROM locker.shares_ended WHERE settled_at IS NULL ORDER BY ended_at LIMIT $1", limit
    )
    return [row["owner"] for row in rows]


async def settle(tx: Tx, *, owner: str, limit: int) -> int:
    """Write into that many rows that they ended with all others, and forget their keys. Less than ``limit``: that was
    all."""
    many: int = await tx.fetchval(
        f"""
        WITH ended AS (
            SELECT owner, ended_at FROM locker.shares_ended WHERE owner = $1 AND settled_at IS NULL
        ), batch AS (
            SELECT s.owner, s.share_id, ended.ended_at
              FROM ended JOIN locker.share s ON s.owner = ended.owner
             WHERE s.revoked_at IS NULL AND s.created_at <= ended.ended_at AND s.until > ended.ended_at
             LIMIT $2
        ), over AS (
            UPDATE locker.share s
               SET revoked_at = batch.ended_at, key_wrapped = NULL, code_mac = NULL, code_wrapped = NULL
              FROM batch WHERE s.owner = batch.owner AND s.share_id = batch.share_id AND s.revoked_at IS NULL
            RETURNING s.owner, s.share_id
        ), {_FORGOTTEN}, done AS (
            UPDATE locker.shares_ended e SET settled_at = now() FROM ended
             WHERE e.owner = ended.owner AND e.ended_at = ended.ended_at AND (SELECT count(*) FROM batch) < $2
        )
        SELECT count(*) FROM batch""",
        owner,
        limit,
    )
    return many


async def end_codes(tx: Tx, *, owner: str) -> list[str]:
    """The citizen's shares face to face that nobody opened yet; which ones. Until the transaction ends, no other one of
    the same citizen comes between."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended('share-code|' || $1, 0))", owner)
    rows = await tx.fetch(
        f"""
        WITH over AS (
            UPDATE locker.share s SET revoked_at = now(), key_wrapped = NULL, code_mac = NULL, code_wrapped = NULL
             WHERE s.owner = $1 AND s.code_mac IS NOT NULL AND {_LIVE}
            RETURNING s.owner, s.share_id
        ), {_FORGOTTEN}
        SELECT share_id FROM over""",
        owner,
    )
    return [row["share_id"] for row in rows]


async def link(tx: Tx, *, token_sha256: bytes) -> Link | None:
    row = await tx.fetchrow(
        f"SELECT {_LINK} FROM locker.share s WHERE s.token_sha256 = $1",
        token_sha256,
    )
    return None if row is None else msgspec.convert(dict(row), Link)


async def link_of_code(tx: Tx, *, code_mac: bytes) -> Link | None:
    """None also where two living shares have the same digits: neither is guessed at."""
    rows = await tx.fetch(
        f"SELECT {_LINK} FROM locker.share s WHERE s.code_mac = $1 AND {_LIVE} LIMIT 2",
        code_mac,
    )
    return msgspec.convert(dict(rows[0]), Link) if len(rows) == 1 else None


async def has_opened(tx: Tx, *, viewing_sha256: bytes, owner: str | None, share_id: str | None) -> bool:
    """Did this browser open that share before (any, where none is named)?"""
    return bool(
        await tx.fetchval(
            """
            SELECT EXISTS (SELECT 1 FROM locker.opening
                            WHERE viewing_sha256 = $1 AND ($2::text IS NULL OR (owner = $2 AND share_id = $3)))""",
            viewing_sha256,
            owner,
            share_id,
        )
    )


_SPEND = f"""
        WITH spent AS (
            UPDATE locker.share s
               SET openings_used = s.openings_used + 1, last_opened_at = now()
             WHERE s.owner = $1 AND s.share_id = $2 AND (s.token_sha256 = $3 OR s.code_mac = $4)
               AND {_LIVE} AND {_UNDERSTOOD}
               AND (s.pin_mac IS NULL OR s.pin_mac = $5)
               AND (s.client_id IS NULL OR s.client_id = $6)
               AND (s.grant_id IS NULL OR s.grant_id = $20)
            RETURNING s.owner, s.share_id, s.purpose, s.recipient, s.until, s.view_only, s.grant_id
        ), given AS (
            SELECT sd.position, {HELD}, {_SHARED}
              FROM spent
              JOIN locker.share_document sd ON sd.owner = spent.owner AND sd.share_id = spent.share_id
              JOIN {_SHARED_FROM}
        ), given_uploads AS (
            SELECT su.position, u.upload_id, u.media_type, u.pages
              FROM spent
              JOIN locker.share_upload su ON su.owner = spent.owner AND su.share_id = spent.share_id
              JOIN locker.upload u ON u.owner = su.owner AND u.upload_id = su.upload_id
             WHERE {SERVED}
        ), given_fields AS (
            SELECT name, min(ARRAY[given.position, place]) AS place
              FROM given, unnest(given.fields) WITH ORDINALITY AS field (name, place)
             GROUP BY name
        ), said AS (
            -- To the receipts, to the log and to the opener: all of one reading.
            SELECT (SELECT coalesce(jsonb_agg(
                               jsonb_build_object('uri', uri, 'type', type, 'administration', administration)
                               || CASE WHEN fields IS NULL THEN jsonb_build_object('sha256', encode(sha256, 'hex'))
                                       ELSE jsonb_build_object('fields', fields) END ORDER BY position), '[]')
                      FROM given) AS to_receipts,
                   jsonb_strip_nulls(jsonb_build_object(
                       'documents', (SELECT coalesce(jsonb_agg(document_id ORDER BY position), '[]') FROM given),
                       'types', (SELECT coalesce(jsonb_agg(type ORDER BY position), '[]') FROM given),
                       'uploads', (SELECT jsonb_agg(upload_id ORDER BY position) FROM given_uploads),
                       'fields', (SELECT jsonb_agg(name ORDER BY place) FROM given_fields))) AS to_log,
                   (SELECT coalesce(jsonb_agg(
                               jsonb_build_object('upload_id', upload_id, 'media_type', media_type, 'pages', pages)
                               ORDER BY position), '[]')
                      FROM given_uploads) AS of_uploads
        ), opened AS (
            INSERT INTO locker.opening (owner, opening_id, share_id, client_id, viewing_sha256, view_until, audit_id,
                                        key_wrapped, documents)
            SELECT owner, $7, share_id, $6, $8, least(until, now() + make_interval(secs => $9)), $11, $10, to_receipts
              FROM spent, said
            RETURNING opening_id, opened_at, client_id, view_until, audit_id::text AS audit_id, key_wrapped, documents
        ), logged AS ({Audit("locker").cte(11, source="spent, said", detail="said.to_log")})
        SELECT given.*, opened.*, said.of_uploads, spent.share_id, spent.purpose, spent.recipient, spent.until,
               spent.view_only, spent.grant_id,
               extract(epoch FROM clock_timestamp() - statement_timestamp())::float8 AS age_s
          FROM spent CROSS JOIN opened CROSS JOIN said LEFT JOIN given ON true
         ORDER BY given.position"""


async def spend_opening(
    tx: Tx,
    event: AuditEvent,
    *,
    owner: str,
    share_id: str,
    token_sha256: bytes | None,
    code_mac: bytes | None,
    pin_mac: bytes | None,
    client_id: str | None,
    grant_id: str | None,
    opening_id: str,
    viewing_sha256: bytes,
    viewing_s: int,
    audit_id: UUID,
    key_wrapped: bytes | None,
) -> Opened | None:
    """Everything that a share demands is asked here, what it gives is read, and the access row is written: all or
    nothing. ``event`` is that row, but for what was given, which is added here. ``grant_id`` is of a connection that
    the provider called standing just now.

    Two callers cannot both take the last opening: the second waits for the first one's row and reads it again. All else
    is read as of the beginning of the statement, also by whoever waited: a document that its issuer revokes, a file
    that goes to the bin or the end of all the citizen's shares in just that time comes after this opening, as if it had
    come a moment later. The log says so too. ``age_s`` is how long ago that beginning was, at most as long as a
    statement may wait for a row: who must not say what is old looks again.
    """
    rows = await tx.fetch(
        _SPEND,
        owner,
        share_id,
        token_sha256,
        code_mac,
        pin_mac,
        client_id,
        opening_id,
        viewing_sha256,
        float(viewing_s),
        key_wrapped,
        *Audit.columns(event, audit_id=audit_id),
        grant_id,
    )
    if not rows:
        return None
    first = {**rows[0], "owner": owner}
    uploads = msgspec.convert(first["of_uploads"], list[GivenUpload])
    return Opened(
        opening=msgspec.convert({**first, "uploads": [upload.upload_id for upload in uploads]}, Opening),
        items=[_item(row) for row in rows if row["document_id"] is not None],
        uploads=uploads,
        age_s=first["age_s"],
    )


_OPENING = """o.owner, o.share_id, o.opening_id, o.opened_at, o.client_id, s.recipient, s.purpose, s.until,
               o.view_until, s.view_only, s.grant_id, o.audit_id::text AS audit_id, o.key_wrapped,
               coalesce(o.documents, '[]') AS documents,
               coalesce((SELECT a.detail->'uploads' FROM locker.audit a
                          WHERE a.at = o.opened_at AND a.audit_id = o.audit_id), '[]') AS uploads
          FROM locker.opening o JOIN locker.share s ON s.owner = o.owner AND s.share_id = o.share_id"""


async def past_opening(tx: Tx, *, owner: str, share_id: str, opening_id: str) -> Opening | None:
    """For the citizen, whatever became of the share."""
    row = await tx.fetchrow(
        f"SELECT {_OPENING} WHERE o.owner = $1 AND o.share_id = $2 AND o.opening_id = $3", owner, share_id, opening_id
    )
    return None if row is None else msgspec.convert(dict(row), Opening)


async def opening(tx: Tx, *, opening_id: str, viewing_sha256: bytes) -> Opening | None:
    """While it may be looked at: not after the share ended or was revoked."""
    row = await tx.fetchrow(
        f"""
        SELECT {_OPENING}
         WHERE o.viewing_sha256 = $1 AND o.opening_id = $2 AND o.view_until > now() AND {_STANDS}
           AND {_UNDERSTOOD}""",
        viewing_sha256,
        opening_id,
    )
    return None if row is None else msgspec.convert(dict(row), Opening)


async def hold_opened(tx: Tx, *, opening_id: str, viewing_sha256: bytes) -> None:
    """Until the transaction ends, the row of that opening's share stays as it is."""
    await tx.execute(
        """
        SELECT FROM locker.share s JOIN locker.opening o ON o.owner = s.owner AND o.share_id = s.share_id
         WHERE o.viewing_sha256 = $1 AND o.opening_id = $2 FOR SHARE OF s""",
        viewing_sha256,
        opening_id,
    )


async def shared_documents(tx: Tx, *, owner: str, share_id: str) -> list[SharedItem]:
    rows = await tx.fetch(
        f"""
        SELECT {HELD}, {_SHARED}
          FROM locker.share_document sd
          JOIN {_SHARED_FROM}
         WHERE sd.owner = $1 AND sd.share_id = $2
         ORDER BY sd.position""",
        owner,
        share_id,
    )
    return [_item(row) for row in rows]


async def shared_document(tx: Tx, *, owner: str, share_id: str, document_id: str) -> SharedItem | None:
    row = await tx.fetchrow(
        f"""
        SELECT {HELD}, {_SHARED}
          FROM locker.share_document sd
          JOIN {_SHARED_FROM}
         WHERE sd.owner = $1 AND sd.share_id = $2 AND sd.document_id = $3""",
        owner,
        share_id,
        document_id,
    )
    return None if row is None else _item(row)


async def listed(tx: Tx, *, owner: str, live_only: bool, after: Position | None, limit: int) -> list[Share]:
    """Newest first."""
    rows = await tx.fetch(
        f"""
        {_SHARE_SELECT}
         WHERE s.owner = $1
           AND ($2::timestamptz IS NULL OR (s.created_at, s.share_id) < ($2, $3::text))
           AND (NOT $4::boolean OR ({_LIVE}))
         ORDER BY s.created_at DESC, s.share_id DESC
         LIMIT $5""",
        owner,
        after.at if after else None,
        after.row_id if after else None,
        live_only,
        limit,
    )
    return [_share(row) for row in rows]


async def find(tx: Tx, *, owner: str, share_id: str) -> Share | None:
    row = await tx.fetchrow(f"{_SHARE_SELECT} WHERE s.owner = $1 AND s.share_id = $2", owner, share_id)
    return None if row is None else _share(row)


async def grants(tx: Tx, *, owner: str, share_ids: Sequence[str]) -> dict[str, str]:
    """The connections on which these of the citizen's shares depend."""
    rows = await tx.fetch(
        """
        SELECT share_id, grant_id FROM locker.share
         WHERE owner = $1 AND share_id = ANY ($2::text[]) AND grant_id IS NOT NULL""",
        owner,
        list(share_ids),
    )
    return {row["share_id"]: row["grant_id"] for row in rows}


async def is_token(tx: Tx, *, owner: str, share_id: str, token_sha256: bytes) -> bool:
    return bool(
        await tx.fetchval(
            "SELECT EXISTS (SELECT 1 FROM locker.share WHERE owner = $1 AND share_id = $2 AND token_sha256 = $3)",
            owner,
            share_id,
            token_sha256,
        )
    )


async def openings(tx: Tx, *, owner: str, share_id: str, limit: int) -> list[OpeningLine]:
    """Newest first."""
    rows = await tx.fetch(
        """
        SELECT opening_id, opened_at, client_id, audit_id::text AS audit_id FROM locker.opening
         WHERE owner = $1 AND share_id = $2 ORDER BY opened_at DESC, opening_id LIMIT $3""",
        owner,
        share_id,
        limit,
    )
    return [msgspec.convert(dict(row), OpeningLine) for row in rows]


async def owner_of_opening(tx: Tx, *, opening_id: str, audit_id: UUID) -> str | None:
    found: str | None = await tx.fetchval(
        "SELECT owner FROM locker.opening WHERE audit_id = $1 AND opening_id = $2", audit_id, opening_id
    )
    return found


async def logged_opening(tx: Tx, *, opening_id: str, audit_id: UUID) -> Opening | None:
    """With the time that its line of the log has, which the app cannot choose; None where they differ."""
    row = await tx.fetchrow(
        f"""
        SELECT {_OPENING}
          JOIN locker.audit l ON l.at = o.opened_at AND l.audit_id = o.audit_id AND l.owner = o.owner
         WHERE o.audit_id = $1 AND o.opening_id = $2 AND l.action = 'share.opened'""",
        audit_id,
        opening_id,
    )
    return None if row is None else msgspec.convert(dict(row), Opening)


async def credential_status(tx: Tx, *, credential_id: str) -> CredentialRow | None:
    row = await tx.fetchrow(
        f"""
        SELECT sd.owner, sd.share_id, s.grant_id, {_STANDS} AND {_UNDERSTOOD} AS shared, {STANDING} AS standing
          FROM locker.share_document sd
          JOIN locker.share s ON s.owner = sd.owner AND s.share_id = sd.share_id
          JOIN locker.document d ON d.owner = sd.owner AND d.document_id = sd.document_id
         WHERE sd.credential_id = $1""",
        credential_id,
    )
    return None if row is None else msgspec.convert(dict(row), CredentialRow)


async def sweep_drafts(tx: Tx) -> None:
    await forget(tx, "locker.share_draft", "expires_at < now()")


async def forget_keys(tx: Tx, *, batch_max: int) -> int:
    """Of shares that may not be looked at any more, with the credentials that they opened: of how many."""
    many: int = await tx.fetchval(
        f"""
        WITH past AS (
            SELECT owner, share_id FROM locker.share
             WHERE until < now() AND (key_wrapped IS NOT NULL OR code_mac IS NOT NULL)
             LIMIT $1 FOR UPDATE SKIP LOCKED
        ), over AS (
            UPDATE locker.share s SET key_wrapped = NULL, code_mac = NULL, code_wrapped = NULL
              FROM past WHERE s.owner = past.owner AND s.share_id = past.share_id
            RETURNING s.owner, s.share_id
        ), {_FORGOTTEN}
        SELECT count(*) FROM over""",
        batch_max,
    )
    return many


async def forget_openers_keys(tx: Tx, *, batch_max: int) -> int:
    """Of openings that may not be looked at any more, while their shares stand: of how many."""
    done = await tx.execute(
        """
        WITH past AS (
            SELECT owner, opening_id FROM locker.opening
             WHERE view_until < now() AND key_wrapped IS NOT NULL
             LIMIT $1 FOR UPDATE SKIP LOCKED)
        UPDATE locker.opening o SET key_wrapped = NULL
          FROM past WHERE o.owner = past.owner AND o.opening_id = past.opening_id""",
        batch_max,
    )
    return int(done.rsplit(" ", 1)[1])


def _share(row: Any) -> Share:
    return msgspec.convert({**dict(row), "caveats": understood(row["caveats"])}, Share)


def _item(row: Any) -> SharedItem:
    columns = dict(row)
    own = {name: columns.pop(name) for name in ("entitled", "fields", "credential_sealed")}
    return SharedItem(document=held(columns), **own)


def _draft(row: Any) -> tuple[ShareDraft, bytes | None] | None:
    return None if row is None else (msgspec.convert(row["answers"], ShareDraft), row["pin_mac"])
