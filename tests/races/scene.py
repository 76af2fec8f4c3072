"""One citizen with everything, new for each order, and what must hold of that citizen afterwards."""

import re
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import msgspec

from khizana.databases import opened_vault
from kit.audit import Audit
from kit.errors import Refusal, Unavailable
from kit.jobs.worker import JobWorker
from kit.outbound.fetch import Fetcher
from locker.administrations.suspend import resume
from locker.catalogue.register_type import register_type
from locker.catalogue.schema import TypeRegistration
from locker.erasing.ask import ask
from locker.erasing.erase import erase_due
from locker.requests.register_purpose import register_purpose
from locker.requests.schema import PurposeRegistration
from locker.vault import Vault, is_object_key
from tests import client_certificates
from tests.citizen_browser import Browser, CitizenWorld, SigningInProvider
from tests.interleaving import Order
from tests.locker_world import BIRTH, INTERIOR, LOCKER, SCHEMA, names, plain_pdf
from tests.sites import authority_files, running_site
from tests.unit.locker.seals.sealing_world import Sealing, enable_for, open_sealing
from tests.unit.locker.webhooks.told import Told

BANK, PURPOSE = "bank", "account"
SITE, KEPT_AT = "docs.site.test", "/kept.pdf"
"""Where an issuer keeps its document."""
_MANY = 1_000_000
LIMITS = {
    "deposits_per_client_per_minute": _MANY,
    "batch_registrations_per_client_per_minute": _MANY,
    "batches_per_administration_max": _MANY,
    "seals_per_client_per_minute": _MANY,
}

TABLES_WITH = """
    CREATE OR REPLACE FUNCTION public.tables_with(app text, words text[]) RETURNS SETOF text LANGUAGE plpgsql AS $$
    DECLARE one text; found boolean;
    BEGIN
        FOR one IN SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                    WHERE n.nspname = app AND c.relkind = 'r' LOOP
            EXECUTE format('SELECT EXISTS (SELECT 1 FROM %s AS t, unnest($1) AS word
                                            WHERE strpos(t::text, word) > 0)', one)
               INTO found USING words;
            IF found THEN RETURN NEXT one; END IF;
        END LOOP;
    END $$"""
_PROMISED = """
    CREATE OR REPLACE FUNCTION public.promised() RETURNS SETOF text LANGUAGE plpgsql AS $$
    DECLARE one text; col text;
    BEGIN
        FOR one, col IN SELECT c.oid::regclass::text, a.attname FROM pg_class c
                          JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'locker'
                          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname ~ '(^|_)object_key$'
                           AND NOT a.attisdropped
                         WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition LOOP
            RETURN QUERY EXECUTE format('SELECT %I FROM %s WHERE %I IS NOT NULL', col, one, col);
        END LOOP;
    END $$"""


@dataclass
class Scene:
    place: CitizenWorld
    pdf: bytes
    uid: str
    document: str = ""
    first: str = ""
    """The one that was there first, whichever ``document`` is."""
    share_id: str = ""
    link: str = ""
    links: set[str] = field(default_factory=set)
    stage: Any = None
    neighbour: str = ""
    """Another citizen, who owns the same deeds."""
    issuer_suspended: bool = False
    purpose_withdrawn: bool = False
    sealing_disabled: bool = False
    domain_taken: bool = False
    reference: str = field(default_factory=lambda: secrets.token_hex(8))
    """The administration's own name for a deposit, and the key of a seal."""
    webhooks: set[str] = field(default_factory=set)
    disabled_by_officer: set[str] = field(default_factory=set)
    enabled_by_officer: bool = False
    grant: str = ""
    again: bool = False
    """What is told may be told twice: it is done by two."""
    kept: dict[str, str] = field(default_factory=dict)

    async def once(self, name: str, make: "Callable[[Scene], Awaitable[str]]") -> str:
        """One for the scene, whichever act needs it first: both act on the same."""
        if name not in self.kept:
            self.kept[name] = await make(self)
        return self.kept[name]

    async def upload(self) -> str:
        async def make(_: Scene) -> str:
            return str((await self.uploaded()).json()["upload_id"])

        return await self.once("upload", make)

    @property
    def http(self) -> httpx.AsyncClient:
        return self.place.world.locker

    @property
    def canary(self) -> str:
        """In all that this citizen and the administrations say here."""
        return f"Zibouane{self.uid}"

    @property
    def owner(self) -> str:
        return self.place.world.subs[self.uid]

    @property
    def wiring(self) -> Any:
        return self.place.world.wiring

    def token(self, scope: str = "documents:read documents:share documents:upload") -> dict[str, str]:
        made = self.place.provider.token(
            sub=self.owner,
            client_id="wallet",
            scope=f"{scope} documents:export documents:erase",
            acr="substantial",
            auth_time=int(time.time()),
        )
        return {"Authorization": f"Bearer {made}"}

    async def deposit(self, *, key: str | None = None, **changes: Any) -> httpx.Response:
        said = {"uid": self.uid, "fields": {"family_name": self.canary}, **changes}
        return await self.place.world.deposit(self.pdf, key=key, **said)

    async def deposited(self, **changes: Any) -> str:
        answer = await self.deposit(**changes)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["document_id"])

    async def shared(self, *document_ids: str, **limits: Any) -> tuple[str, str]:
        """share_id and the link's path."""
        body = {
            "documents": list(document_ids) or ([] if "uploads" in limits else [self.document]),
            "recipient": f"Banque {self.canary}",
            "purpose": f"Compte {self.canary}",
            **limits,
        }
        answer = await self.http.post("/v1/shares", headers=self.token(), json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["share_id"]), str(answer.json()["url"]).removeprefix(LOCKER)

    async def open(self, path: str, **parts: Any) -> httpx.Response:
        """From an address of its own, so that no limit of guesses is met."""
        address = f"203.0.{secrets.randbelow(250)}.{secrets.randbelow(250)}"
        transport = httpx.ASGITransport(self.place.app, raise_app_exceptions=False, client=(address, 50_000))
        async with httpx.AsyncClient(transport=transport, base_url=LOCKER, timeout=60, trust_env=False) as client:
            return await client.request(parts.pop("method", "POST"), path, **parts)

    async def uploaded(self, *, key: str | None = None) -> httpx.Response:
        return await self.http.post(
            "/v1/uploads",
            headers={**self.token(), "Idempotency-Key": f'"{key or secrets.token_hex(8)}"'},
            files={"file": (f"{self.canary}.pdf", plain_pdf(self.canary), "application/pdf")},
        )

    async def browser(self) -> Browser:
        return await self.place.signed_in(self.uid)

    async def erase(self) -> Any:
        """As far as the first round goes; what ``settle`` does comes when every node has forgotten the key."""
        vault = self.stage.worker
        await ask(self.wiring.db, self.wiring.audit, owner=self.owner, by="officer", actor="test", wait_s=0)
        return await erase_due(self.wiring.db, self.wiring.audit, vault, settled_s=3_600)

    async def settle(self) -> None:
        """The last round of an erasure."""
        await self.place.world.owner_db.execute(
            "UPDATE locker.erasure SET next_attempt_at = now() WHERE owner = $1", self.owner
        )
        for _ in range(3):
            await erase_due(self.wiring.db, self.wiring.audit, self.stage.worker, settled_s=0)

    def stranger(self) -> str:
        """The uid of one more citizen."""
        return str(self.stage.newcomer())

    async def change(self, sql: str, *args: Any) -> None:
        await self.place.world.owner_db.execute(sql, *args)

    async def one(self, sql: str, *args: Any) -> Any:
        return await self.place.world.owner_db.fetchval(sql, *args)

    async def rows(self, sql: str, *args: Any) -> list[dict[str, Any]]:
        return await self.place.world.rows(sql, *args)


async def wrong(scene: Scene, order: Order, *, erased: bool) -> list[str]:
    """Every invariant that does not hold, in words."""
    found = [*_answers(order, away=scene.domain_taken or scene.issuer_suspended)]
    if erased:
        await scene.settle()
        if await scene.one("SELECT count(*) FROM locker.legal_hold WHERE owner = $1", scene.owner):
            # What the law holds stays.
            erased = False
    if erased:
        found += await _left_of_the_erased(scene)
    else:
        found += [*await _standing(scene), *await _revoked(scene, order)]
    found += await _objects(scene)
    found += await _openings(scene)
    found += await _counters(scene)
    found += await _seals(scene)
    found += await _told(scene, erased=erased)
    is_over = "authorized" in scene.kept and scene.grant in scene.place.provider.revoked
    bank = scene.place.provider.token(sub=BANK, client_id=BANK, scope="documents:request")
    if is_over and (await scene.open(scene.link, headers={"Authorization": f"Bearer {bank}"})).status_code < 400:
        found.append("a link opens after its connection ended")
    return found


def said(answer: Any) -> str:
    if isinstance(answer, httpx.Response):
        code = re.search(r'"code":"([a-z-]+)"', answer.text) if answer.status_code >= 400 else None
        return f"{answer.status_code}{' ' + code[1] if code else ''}"
    return repr(answer)[:200]


def unavailable(order: Order) -> bool:
    """The answer of a machine that is too slow, and of two that wait for each other."""
    return any(
        isinstance(one, Unavailable)
        or (isinstance(one, httpx.Response) and one.status_code == 503 and '"unavailable"' in one.text)
        for one in (order.first, order.second)
    )


def _answers(order: Order, *, away: bool) -> list[str]:
    """``away``: what an issuer keeps cannot be had."""
    found = []
    for which, answer in (("first", order.first), ("second", order.second)):
        if isinstance(answer, Refusal) and answer.status < 500:
            continue
        if isinstance(answer, BaseException):
            found.append(f"the {which} raised {answer!r}")
        elif isinstance(answer, httpx.Response) and answer.status_code >= 500:
            if away and answer.status_code == 503 and '"unavailable"' not in answer.text:
                continue
            found.append(f"the {which} answered {said(answer)}: {answer.text[:300]}")
    return found


async def _left_of_the_erased(scene: Scene) -> list[str]:
    tables = await scene.rows("SELECT * FROM public.tables_with('locker', $1) AS name", [scene.owner, scene.canary])
    left = {row["name"] for row in tables} - {"locker.citizen_key"}
    found = [f"of the erased citizen something is left in {name}" for name in sorted(left)]
    for path in (f"/v1/documents/{scene.document}", "/v1/documents", "/v1/history"):
        answer = await scene.http.get(path, headers=scene.token())
        if answer.status_code != 410:
            found.append(f"{path} answered {answer.status_code} after the erasure")
    for link in scene.links | {scene.link}:
        if link and (await scene.open(link)).status_code != 404:
            found.append("a link opens after the erasure")
    return found


_OWNERS = "owner = ANY($1)"
_STANDING = {
    "a line or a message of this document is missing, or there twice": f"""
        SELECT d.document_id, d.revision, lines.many AS lines, told.many AS told
          FROM locker.document d
         CROSS JOIN LATERAL (SELECT count(*) AS many FROM locker.audit a
                              WHERE a.owner = d.owner AND a.object_id = d.document_id
                                AND a.action IN ({{changes}})) AS lines
         CROSS JOIN LATERAL (SELECT count(*) AS many FROM locker.outbox o
                              WHERE o.owner = d.owner AND o.body ->> 'document_id' = d.document_id
                                AND o.topic LIKE 'document.%') AS told
         WHERE d.{_OWNERS} AND (lines.many <> d.revision OR told.many <> d.revision)""",
    "a document without its address": f"""
        SELECT document_id FROM locker.document d WHERE d.{_OWNERS}
           AND NOT EXISTS (SELECT FROM locker.document_uri u
                            WHERE u.document_id = d.document_id AND u.owner = d.owner)""",
    "an address without its document": f"""
        SELECT document_id FROM locker.document_uri u WHERE u.{_OWNERS}
           AND NOT EXISTS (SELECT FROM locker.document d
                            WHERE u.document_id = d.document_id AND u.owner = d.owner)""",
    "a version and the one before it do not say the same": f"""
        SELECT d.document_id, d.replaces, p.state, p.replaced_by FROM locker.document d
          JOIN locker.document p ON p.owner = d.owner AND p.document_id = d.replaces
         WHERE d.{_OWNERS} AND (p.replaced_by IS DISTINCT FROM d.document_id OR p.version <> d.version - 1
                                OR p.chain_id <> d.chain_id OR p.state NOT IN ('superseded', 'revoked'))""",
    "two versions of one place": f"""
        SELECT chain_id, version FROM locker.document d WHERE d.{_OWNERS}
         GROUP BY chain_id, version HAVING count(*) > 1""",
    "a reference without its document": f"""
        SELECT r.document_id FROM locker.reference r WHERE r.{_OWNERS}
           AND NOT EXISTS (SELECT FROM locker.document d WHERE d.document_id = r.document_id AND d.by_reference)""",
    "what its issuer keeps has no address there": f"""
        SELECT document_id FROM locker.document d WHERE d.{_OWNERS} AND by_reference
           AND NOT EXISTS (SELECT FROM locker.reference r WHERE r.document_id = d.document_id)""",
    "a copy that is kept and is not here": f"""
        SELECT document_id FROM locker.reference r WHERE r.{_OWNERS} AND copied_at IS NOT NULL AND NOT cached""",
    "a copy and its line": f"""
        SELECT r.document_id, lines.many FROM locker.reference r
         CROSS JOIN LATERAL (SELECT count(*) AS many FROM locker.audit a
                              WHERE a.owner = r.owner AND a.object_id = r.document_id
                                AND a.action = 'document.copied') AS lines
         WHERE r.{_OWNERS} AND lines.many <> (r.copied_at IS NOT NULL)::int""",
    "a share and its line": f"""
        SELECT s.share_id, made.many AS made, over.many AS over FROM locker.share s
         CROSS JOIN LATERAL (SELECT count(*) AS many FROM locker.audit a WHERE a.owner = s.owner
                                AND a.object_id = s.share_id AND a.action = 'share.created') AS made
         CROSS JOIN LATERAL (SELECT count(*) AS many FROM locker.audit a WHERE a.owner = s.owner
                                AND a.object_id = s.share_id AND a.action = 'share.revoked') AS over
         WHERE s.{_OWNERS} AND (made.many <> 1 OR over.many > 1 OR (over.many = 1 AND s.revoked_at IS NULL))""",
    "a share of nothing": f"""
        SELECT share_id FROM locker.share s WHERE s.{_OWNERS}
           AND NOT EXISTS (SELECT FROM locker.share_document d WHERE d.owner = s.owner AND d.share_id = s.share_id)
           AND NOT EXISTS (SELECT FROM locker.share_upload u WHERE u.owner = s.owner AND u.share_id = s.share_id)
           AND NOT EXISTS (SELECT FROM locker.audit a WHERE a.owner = s.owner AND a.action = 'document.retired')""",
    "a share that was allowed at sign-in": f"""
        SELECT a.share_id FROM locker.authorized_share a WHERE a.{_OWNERS}
           AND NOT EXISTS (SELECT FROM locker.share s WHERE s.owner = a.owner AND s.share_id = a.share_id)""",
    "a draft that is a share": f"""
        SELECT draft_id FROM locker.share_draft d WHERE d.{_OWNERS}
           AND EXISTS (SELECT FROM locker.share s WHERE s.owner = d.owner AND s.share_id = d.draft_id)""",
    "an upload and its lines": f"""
        SELECT u.upload_id, here.many AS here, over.many AS over FROM locker.upload u
         CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE a.action = 'upload.received') AS many FROM locker.audit a
                              WHERE a.owner = u.owner AND a.object_id = u.upload_id) AS here
         CROSS JOIN LATERAL (SELECT count(*) AS many FROM locker.audit a WHERE a.owner = u.owner
                                AND a.object_id = u.upload_id AND a.action = 'upload.gone') AS over
         WHERE u.{_OWNERS} AND (here.many <> 1 OR over.many <> (u.gone_at IS NOT NULL)::int)""",
    "held uploads are miscounted": f"""
        SELECT h.uploads, h.bytes, real.many, real.bytes AS real_bytes FROM locker.upload_holding h
         CROSS JOIN LATERAL (SELECT count(*) AS many, coalesce(sum(length), 0) AS bytes FROM locker.upload u
                              WHERE u.owner = h.owner AND u.gone_at IS NULL) AS real
         WHERE h.{_OWNERS} AND (h.uploads <> real.many OR h.bytes <> real.bytes)""",
    "one is both waiting and a document": f"""
        SELECT q.document_id FROM locker.quarantine q JOIN locker.document d USING (owner, document_id)
         WHERE q.{_OWNERS}""",
    "what was revoked by its name stands": f"""
        SELECT d.document_id, d.state FROM locker.document d
          JOIN locker.deposit_reference r USING (document_id)
         WHERE d.{_OWNERS} AND r.revocation_reason IS NOT NULL AND d.state <> 'revoked'""",
    "lines of one hold": f"""
        SELECT a.action FROM locker.audit a WHERE a.{_OWNERS} AND a.action IN ('hold.placed', 'document.retired')
         GROUP BY a.action, a.object_id HAVING count(*) > 1""",
}
_CHANGES = ("deposited", "superseded", "corrected", "suspended", "resumed", "revoked")


async def _standing(scene: Scene) -> list[str]:
    """Of who is not erased."""
    owners = [scene.owner, *([scene.neighbour] if scene.neighbour else [])]
    changes = ", ".join(f"'document.{change}'" for change in _CHANGES)
    found = []
    for what, sql in _STANDING.items():
        found += [f"{what}: {row}" for row in await scene.rows(sql.replace("{changes}", changes), owners)]
    return found


async def _revoked(scene: Scene, order: Order) -> list[str]:
    """For good, whatever else is said of it."""
    answers = [one for one in (order.first, order.second) if isinstance(one, httpx.Response)]
    said_so = [
        str(one.json()["document_id"])
        for one in answers
        if one.status_code == 200
        and one.request.url.path.endswith(("/revoke", "/revocations"))
        and "document_id" in one.text
    ]
    rows = await scene.rows(
        "SELECT document_id, state FROM locker.document WHERE document_id = ANY($1) AND state <> 'revoked'", said_so
    )
    return [f"this was revoked: {row}" for row in rows]


_WITH_OBJECTS = """
    SELECT object_key AS key FROM locker.document d WHERE owner = ANY($1) AND wrapped_key IS NOT NULL
       AND (NOT by_reference OR EXISTS (SELECT FROM locker.reference r
                                         WHERE r.owner = d.owner AND r.document_id = d.document_id AND r.cached))
     UNION ALL SELECT object_key FROM locker.upload WHERE owner = ANY($1) AND gone_at IS NULL
     UNION ALL SELECT object_key FROM locker.quarantine WHERE owner = ANY($1) AND wrapped_key IS NOT NULL
     UNION ALL SELECT v.object_key FROM locker.seal_version v JOIN locker.seal s USING (administration, seal_id)
                WHERE s.idempotency_key = $2"""


async def _objects(scene: Scene) -> list[str]:
    """No row without its object, and no object that nothing knows."""
    stage, objects = scene.stage, scene.stage.objects()
    new = objects - stage.known
    promised = await scene.rows("SELECT key FROM public.promised() AS key WHERE key = ANY($1)", list(new))
    stray = new - {row["key"] for row in promised}
    stage.known = objects
    owners = [scene.owner, *([scene.neighbour] if scene.neighbour else [])]
    wanted = {row["key"] for row in await scene.rows(_WITH_OBJECTS, owners, scene.reference)}
    return [
        *(f"nobody knows of the object {key}" for key in sorted(stray)),
        *(f"there is no object {key}" for key in sorted(wanted - objects)),
    ]


async def _seals(scene: Scene) -> list[str]:
    rows = await scene.rows(
        """
        SELECT s.seal_id, s.level, s.wanted, s.pending, s.version,
               (SELECT count(*) FROM locker.seal_version v WHERE v.seal_id = s.seal_id) AS versions,
               (SELECT count(*) FROM locker.audit a WHERE a.object_id = s.seal_id
                   AND a.action IN ('seal.made', 'seal.raised')) AS lines
          FROM locker.seal s WHERE s.idempotency_key = $1""",
        scene.reference,
    )
    return [
        f"seal {row}" for row in rows
        if not row["version"] == row["versions"] == row["lines"] or (row["level"] is None and row["version"])
    ]  # fmt: skip


async def _told(scene: Scene, *, erased: bool) -> list[str]:
    """Receivers heard of what happened alone; what is still to be told has its job. A message stands apart from the
    rows of an erased citizen."""
    if not scene.webhooks:
        return []
    found, webhooks = [], list(scene.webhooks)
    told = scene.stage.told
    disabled = set() if scene.enabled_by_officer else scene.disabled_by_officer
    messages = {
        row["message_id"]: row
        for row in await scene.rows(
            """
            SELECT m.message_id, m.type, m.state, m.data ->> 'document_id' AS document_id,
                   (SELECT count(*) FROM locker.job j
                     WHERE j.body ->> 'message_id' = m.message_id AND j.dead_at IS NULL) AS jobs
              FROM locker.webhook_message m WHERE m.webhook_id = ANY($1)""",
            webhooks,
        )
    }
    heard = [request.headers.get("webhook-id", "") for request in told.received() if scene.uid in request.path]
    found += [f"heard twice: {heard}" for one in set(heard) if heard.count(one) > 1 and not scene.again]
    for message_id, row in messages.items():
        if row["state"] == "waiting" and row["jobs"] < 1:
            found.append(f"nobody will tell {row}")
        if row["state"] == "delivered" and message_id not in heard:
            found.append(f"nobody heard {row}")
        if row["jobs"] > 1:
            found.append(f"two will tell {row}")
        happened = await scene.one(
            """SELECT count(*) FROM locker.outbox WHERE body ->> 'document_id' = $1 AND topic = $2""",
            row["document_id"],
            row["type"].replace("share.document_", "document."),
        )
        if row["document_id"] and not happened and not erased:
            found.append(f"this did not happen: {row}")
    for row in await scene.rows(
        """
        SELECT w.webhook_id, w.disabled_at, w.disabled_reason,
               (SELECT count(*) FROM locker.webhook_key k WHERE k.webhook_id = w.webhook_id) AS keys,
               (SELECT count(*) FROM locker.webhook_key k
                 WHERE k.webhook_id = w.webhook_id AND k.signs_until IS NULL) AS lasting,
               (SELECT count(*) FROM locker.audit a
                 WHERE a.object_id = w.webhook_id AND a.action = 'webhook.removed') AS removals
          FROM locker.webhook w WHERE w.webhook_id = ANY($1)""",
        webhooks,
    ):
        removed = row["disabled_reason"] == "removed"
        if (
            row["lasting"] > 1
            or row["removals"] != removed
            or (removed and row["keys"])
            or (row["webhook_id"] in disabled and not removed and row["disabled_reason"] != "officer")
        ):
            found.append(f"webhook {row}")
    return found


async def _openings(scene: Scene) -> list[str]:
    rows = await scene.rows(
        """SELECT s.share_id, s.openings_used, s.openings_max,
                  (SELECT count(*) FROM locker.opening o WHERE o.owner = s.owner AND o.share_id = s.share_id) AS rows,
                  (SELECT count(*) FROM locker.audit a WHERE a.owner = s.owner AND a.object_id = s.share_id
                      AND a.action = 'share.opened') AS lines
             FROM locker.share s WHERE s.owner = $1""",
        scene.owner,
    )
    return [
        f"share {row}" for row in rows
        if not row["openings_used"] == row["rows"] == row["lines"] or row["openings_used"] > row["openings_max"]
    ]  # fmt: skip


async def _counters(scene: Scene) -> list[str]:
    found = []
    for owner in {scene.owner, scene.neighbour} - {""}:
        said_ = await scene.rows("SELECT documents, bytes FROM locker.holding WHERE owner = $1", owner)
        real = await scene.rows(
            "SELECT count(*) AS documents, coalesce(sum(length), 0) AS bytes FROM locker.document WHERE owner = $1",
            owner,
        )
        if (said_ or [{"documents": 0, "bytes": 0}]) != [{**real[0], "bytes": int(real[0]["bytes"])}]:
            found.append(f"holding says {said_}, there is {real}")
    twice = await scene.one(
        """SELECT count(*) FROM (SELECT object_key FROM locker.document WHERE owner = $1
                                  GROUP BY object_key HAVING count(*) > 1) AS twice""", scene.owner
    )  # fmt: skip
    if twice:
        found.append("two documents of one object")
    return found


@dataclass
class Stage:
    """Where scenes are made, one after another."""

    place: CitizenWorld
    pdf: bytes
    bucket: Path
    worker: Vault
    """As another process has it: what it forgets the servers may still remember."""
    sealing: Sealing
    told: Told
    number: int = 3_000_000_000
    known: set[str] = field(default_factory=set)
    """Objects that were there after the order before: each that is nobody's is said once."""

    def newcomer(self) -> str:
        self.number += 1
        uid = str(self.number)
        self.place.world.subs[uid] = self.place.provider.enrol(uid)
        return uid

    async def scene(self) -> Scene:
        """A citizen who has one document and shared it, for three openings. No limit is near."""
        rows = self.place.world.owner_db
        await rows.execute("DELETE FROM locker.throttle")
        # An administration has few webhooks.
        for table in ("webhook_message", "webhook_key", "webhook"):
            await rows.execute(f"DELETE FROM locker.{table}")
        await rows.execute("DELETE FROM locker.job")
        made = Scene(self.place, self.pdf, self.newcomer(), stage=self)
        made.document = made.first = await made.deposited()
        made.share_id, made.link = await made.shared(openings=3, view_only=False)
        return made

    def objects(self) -> set[str]:
        """As they lie in the folder of the store: to ask it for them takes longer than all else."""
        found = (f"{path.parent.name}/{path.name}" for path in self.bucket.glob("[0-9a-f][0-9a-f]/*"))
        return {key for key in found if is_object_key(key)}

    async def put_right(self, scene: Scene) -> None:
        """What one scene changed for all."""
        wiring = self.place.world.wiring
        if scene.issuer_suspended:
            await resume(wiring.db, wiring.audit, INTERIOR, officer="test")
        if scene.purpose_withdrawn:
            await purpose_stands(wiring)
        if scene.domain_taken:
            await domain_stands(self.place.world.owner_db)
        if scene.sealing_disabled:
            await enable_for(self.place.world, INTERIOR)


async def purpose_stands(wiring: Any) -> None:
    registration = {
        "client_id": BANK,
        "purpose_id": PURPOSE,
        "names": dict.fromkeys(("ar", "fr", "zgh", "en"), "Banque X"),
        "purpose": dict.fromkeys(("ar", "fr", "zgh", "en"), "Compte"),
        "documents": [{"type": BIRTH}],
    }
    new = msgspec.convert(registration, PurposeRegistration)
    await register_purpose(wiring.db, Audit("locker"), new, officer="test")


@asynccontextmanager
async def open_stage(dsns: Any, s3: Any, folder: Path) -> AsyncIterator[Stage]:
    _, certificate = client_certificates.files(folder, "CN=locker")
    provider = SigningInProvider()
    async with (
        running_site() as site,
        open_sealing(
            dsns,
            s3,
            folder,
            provider=provider,
            deposit_intent_grace_s=0,
            quarantine_first_wait_s=0,
            connections_max=20,
            outbound_ca_file=authority_files()[0],
            outbound_loopback=True,
            reference_certificate_file=certificate,
            **LIMITS,
        ) as sealing,
    ):
        world = sealing.world
        # A name of the test resolves here; everything else is the real client.
        world.wiring.references.fetcher._resolve_blocking = lambda host, port: ["127.0.0.1"]
        for sql in (TABLES_WITH, _PROMISED):
            await world.owner_db.execute(sql)
        await purpose_stands(world.wiring)
        await domain_stands(world.owner_db)
        kept = TypeRegistration(type=BIRTH, names=names(BIRTH), category="civil-status", fields=SCHEMA,
                                retention_days=30)  # fmt: skip
        await register_type(world.wiring.db, world.wiring.audit, kept, officer="test")
        pdf = world.sealed(text="Extrait")
        site.serve(KEPT_AT, pdf, "application/pdf")
        fetcher = Fetcher(ca_file=authority_files()[0], loopback_allowed=True, overall_max_s=5)
        with closing(fetcher):
            told = Told(world, site, fetcher)
            told.worker = JobWorker(world.wiring.db, told.jobs, [told.delivery(world.wiring.db).kind()])
            async with opened_vault(world.wiring.db, world.wiring.settings) as worker:
                place = CitizenWorld(world, world.app, provider)
                yield Stage(place, pdf, s3.bucket_folder, worker, sealing, told)


async def domain_stands(rows: Any) -> None:
    await rows.execute(
        "INSERT INTO locker.administration_domain (administration, domain) VALUES ($1, 'site.test')"
        " ON CONFLICT DO NOTHING",
        INTERIOR,
    )


__all__ = ["BANK", "PURPOSE", "TABLES_WITH", "Scene", "Stage", "open_stage", "said", "unavailable", "wrong"]
