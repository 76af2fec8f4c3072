"""What must hold when the faults are over: rows, objects, the log and the messages say what was answered."""

import asyncio
import hashlib
import json
import re
import time
from dataclasses import dataclass, field
from typing import Any

from khizana.databases import connected, opened_vault
from kit.audit import Audit
from kit.db import Database
from kit.throttle import Throttle
from kit.tokens import digest
from locker.erasing.erase import erase_due
from locker.log import store as log_store
from locker.log.checkpoint import LogKey
from locker.log.objects import LogObjects
from locker.log.verify import verify
from locker.sweeping.reconcile import reconcile
from locker.sweeping.sweep import sweep
from locker.vault import Stored, Vault
from tests.faults.chaos.calls import Calls
from tests.faults.chaos.connections import Connections
from tests.faults.chaos.keeping import Keeping
from tests.faults.chaos.operations import verified
from tests.faults.chaos.place import BANK, Place
from tests.faults.chaos.sealing import Sealing
from tests.locker_world import INTERIOR, JUSTICE

SETTLED_MAX_S = 400
"""On a machine that is very busy. What is waited for is seen, not slept for."""
HURRY_EACH = 20
PUBLISHED_MAX = 20
REREAD_MAX_S = 60
SHOWN_AGAIN = 3


@dataclass
class Invariants:
    place: Place
    calls: Calls
    connections: Connections
    keeping: Keeping
    sealing: Sealing
    log_key_turned: bool = False
    _jwks: Any = None
    _read: dict[Any, int] = field(default_factory=dict)
    """Of each log, up to where it was read."""

    async def check(self) -> None:
        settings = self.place.rig.deployment.locker_settings()
        async with connected(settings.database_url) as db, opened_vault(db, settings) as vault:
            await self._settled(db)
            words = await self._erased(db, vault)
            await self.keeping.check(db)
            await self._documents(db, vault)
            await self._chains(db)
            await self._taken(db)
            await self._shares(db)
            await self._uploads(db, vault)
            await self._sums(db)
            await self.sealing.check(db)
            self._told()
            self._jwks = None
            await self._receipts()
            await self._kept_elsewhere(db)
            await self._objects(db, vault)
            # Also what the archive was about to put away is swept now.
            await self._nowhere(words)
            await self._log(db, vault)
        self._said()

    async def _settled(self, db: Database) -> None:
        """Jobs, messages and exports end by themselves; only their waits are cut short."""
        waits = """
            SELECT (SELECT count(*) FROM locker.job WHERE dead_at IS NULL)
                 + (SELECT count(*) FROM locker.outbox WHERE delivered_at IS NULL)
                 + (SELECT count(*) FROM locker.export WHERE state = 'waiting')
                 + (SELECT count(*) FROM locker.upload WHERE next_scan_at IS NOT NULL)
                 + (SELECT count(*) FROM locker.quarantine WHERE state = 'waiting')
                 + (SELECT count(*) FROM locker.log_waiting)
                 + (SELECT size - published FROM locker.log_head)"""
        turns = 0
        async with asyncio.timeout(SETTLED_MAX_S):
            while await db.fetchval(waits):
                turns += 1
                if turns % HURRY_EACH == 0:
                    await self.place.as_owner(
                        """UPDATE locker.job SET due_at = now() WHERE dead_at IS NULL;
                           UPDATE locker.export SET next_attempt_at = now() WHERE state = 'waiting';
                           UPDATE locker.upload SET next_scan_at = now() WHERE next_scan_at IS NOT NULL;
                           UPDATE locker.quarantine SET next_attempt_at = now() WHERE state = 'waiting'"""
                    )
                await asyncio.sleep(0.2)
        dead = await db.fetch("SELECT kind, last_reason FROM locker.job WHERE dead_at IS NOT NULL")
        self._must(not dead, f"dead jobs: {[dict(one) for one in dead]}")
        failed = await db.fetch(
            "SELECT type, state, last_outcome FROM locker.webhook_message WHERE state <> 'delivered'"
        )
        self._must(not failed, f"messages that were not taken: {[dict(one) for one in failed]}")
        off = await db.fetchval("SELECT count(*) FROM locker.export WHERE state = 'failed'")
        self._must(not off, f"{off} exports failed")

    async def _documents(self, db: Database, vault: Vault) -> None:
        """I1 and I4."""
        model, figures = self.place.model, self.place.figures
        rows = {row["document_id"]: row for row in await db.fetch(_DOCUMENTS)}
        figures.documents = len(rows)
        there = {one: document for one, document in model.documents.items() if model.kept(document) or document.held}
        lost, unasked = there.keys() - rows.keys(), rows.keys() - there.keys()
        figures.losses += len(lost)
        self._must(not lost, f"I1: lost: {lost}")
        self._must(not unasked, f"I4: documents that no key was answered with: {unasked}")
        for document_id, document in there.items():
            row = rows.get(document_id)
            if row is None:
                continue
            self._must(row["owner"] == document.owner, f"{document_id} is another's")
            self._must(row["state"] == document.standing, f"{document_id}: {row['state']}, not {document.standing}")
            self._must(row["kept_elsewhere"] == document.by_reference, f"{document_id}: kept by another")
            self._must(not document.copied or row["copied"], f"I1: {document_id}: its copy is lost")
            # What was let go comes back from its issuer.
            if not row["let_go"]:
                content = await vault.read_all(
                    Stored.of(row),
                    owner=row["owner"],
                    document_id=document_id,
                    version=row["version"],
                    length_max=10**7,
                )
                self._must(content == document.pdf, f"I1: {document_id}: other bytes")
            data = None if row["data_sha256"] is None else row["data_sha256"].hex()
            self._must(data == document.data_sha256, f"I1: {document_id}: other data")
        for document_id, owner in model.seen.items():
            known = model.documents.get(document_id)
            if next(one for one in model.citizens if one.sub == owner).leaving or (known and known.gone_at):
                continue
            row = rows.get(document_id)
            self._must(row is not None and row["owner"] == owner, f"{document_id} stood in the list of {owner}")
        answers = await db.fetch(
            "SELECT client_id, key, answer->>'document_id' AS id FROM locker.idempotency WHERE answer IS NOT NULL"
        )
        kept = {(row["client_id"], row["key"]): row["id"] for row in answers}
        for key, document_id in model.keys.items():
            self._must(kept.get(key) == document_id, f"I4: {key}: {kept.get(key)}, answered {document_id}")
        twice = await db.fetch(
            """SELECT object_id, action, count(*) FROM locker.audit
                WHERE action IN ('document.deposited', 'document.revoked') GROUP BY 1, 2 HAVING count(*) > 1"""
        )
        self._must(not twice, f"happened twice: {[dict(one) for one in twice]}")
        deposited, retired = [
            await db.fetchval("SELECT count(*) FROM locker.audit WHERE action = $1", f"document.{what}")
            for what in ("deposited", "retired")
        ]
        self._must(deposited - retired == len(rows), f"{deposited}-{retired} lines of {len(rows)} deposits")

    async def _chains(self, db: Database) -> None:
        """Versions stand one behind the other, each replaced once, by the one that says so."""
        rows = {row["document_id"]: row for row in await db.fetch(_VERSIONS)}
        model = self.place.model
        later = [one for one in model.documents.values() if one.replaces and model.kept(one)]
        self.place.figures.chained = len(later)
        for document in later:
            before, row = document.replaces, rows.get(document.document_id)
            if row is None or before is None or before.gone_at is not None:
                continue
            name = f"{document.document_id}, which replaces {before.document_id}"
            self._must(row["replaces"] == before.document_id, f"{name}: {row['replaces']}")
            former = rows.get(before.document_id)
            self._must(former is not None and former["replaced_by"] == document.document_id, f"{name}: {former}")
            if former is not None:
                self._must(row["version"] == former["version"] + 1, f"{name}: {row['version']}, {former['version']}")

    async def _taken(self, db: Database) -> None:
        """Of each detail one share at a time, with one line; each detail is counted once."""
        for share in self.place.model.shares:
            if share.connection is not None and not share.share_id:
                sha256 = digest(share.path.rpartition("/")[2])
                found = await db.fetchval("SELECT share_id FROM locker.share WHERE token_sha256 = $1", sha256)
                share.share_id = found or ""
        wrong = await db.fetch(
            """SELECT s.share_id, count(a.*) FROM locker.share s
                 LEFT JOIN locker.audit a ON a.owner = s.owner AND a.object_id = s.share_id
                                         AND a.action = 'request.authorized'
                WHERE s.grant_id IS NOT NULL GROUP BY s.share_id HAVING count(a.*) <> 1"""
        )
        self._must(not wrong, f"taken without a line, or with several: {[dict(one) for one in wrong]}")
        [figure] = await db.fetch(
            """SELECT coalesce(sum(asked), 0) AS asked, coalesce(sum(given), 0) AS given,
                      coalesce(sum(refused), 0) + coalesce(sum(declined), 0) AS others
                 FROM locker.request_figure WHERE client_id = $1""",
            BANK,
        )
        given, unsure = len(self.connections.given), len(self.connections.unsure)
        fits = figure["asked"] == figure["given"] and given <= figure["given"] <= given + unsure
        self._must(fits and figure["others"] == 0, f"{dict(figure)} of {given} that were given, {unsure} unsure")

    async def _shares(self, db: Database) -> None:
        """I5, and that as many were opened as openings were answered."""
        model = self.place.model
        rows = {row["share_id"]: row for row in await db.fetch(_SHARES)}
        self.place.figures.shares = len(rows)
        gone = [one for one in model.shares if not model.stays(one)]
        self.place.figures.openings = sum(row["openings"] for row in rows.values()) + sum(len(s.opened) for s in gone)
        for share_id, row in rows.items():
            counts = (row["openings_used"], row["openings"], row["told"])
            self._must(len(set(counts)) == 1, f"I5: {share_id}: used, opened, told: {counts}")
            self._must(counts[0] <= row["openings_max"], f"I5: {share_id}: {counts} of {row['openings_max']}")
        for share in model.shares:
            if not model.stays(share):
                continue
            row = rows.get(share.share_id)
            if row is None:
                self._must(False, f"I5: share {share.share_id} is lost")
                continue
            at_least, at_most = len(share.opened), len(share.opened) + share.maybe
            self._must(
                at_least <= row["openings"] <= at_most, f"I5: {share.path}: {row['openings']} of {at_least}…{at_most}"
            )
            allowed = row["openings_max"]
            self._must(allowed == share.openings_max, f"{share.path}: {allowed}, not {share.openings_max}")
            over = row["ended"]
            self._must(share.ended_at is None or over, f"{share.path}: its end was answered, and it lives")
            opened = {one["opening_id"] for one in share.opened}
            self._must(opened <= set(row["ids"] or ()), f"I5: {share.path}: openings without a row")
        for citizen in model.living:
            mine = len(model.shares_of(citizen))
            there = sum(row["owner"] == citizen.sub for row in rows.values())
            self._must(mine <= there <= mine + citizen.shares_maybe, f"{citizen.name}: {there} shares, {mine} answered")

    async def _uploads(self, db: Database, vault: Vault) -> None:
        model = self.place.model
        rows = {row["upload_id"]: row for row in await db.fetch("SELECT * FROM locker.upload")}
        self.place.figures.uploads = len(rows)
        there = {upload_id: upload for upload_id, upload in model.uploads.items() if model.stays(upload)}
        self._must(rows.keys() == there.keys(), f"uploads: {rows.keys() ^ there.keys()}")
        for upload_id, upload in there.items():
            row = rows.get(upload_id)
            if row is None:
                continue
            state = "gone" if row["gone_at"] else "binned" if row["binned_at"] else "held"
            self._must(state == upload.state, f"upload {upload_id}: {state}, not {upload.state}")
            seen = "infected" if upload.infected else "clean"
            self._must(state == "gone" or row["scan"] == seen, f"upload {upload_id}: {row['scan']}, it is {seen}")
            if state == "gone":
                self._must(row["wrapped_key"] is None, f"upload {upload_id} is gone and its key is there")
                continue
            content = await vault.read_all(
                Stored.of(row), owner=row["owner"], document_id=upload_id, version=1, length_max=10**7
            )
            self._must(hashlib.sha256(content).hexdigest() == upload.sha256, f"upload {upload_id}: other bytes")

    async def _sums(self, db: Database) -> None:
        wrong = await db.fetch(_WRONG_SUMS)
        self._must(not wrong, f"sums that are not of their rows: {[dict(one) for one in wrong]}")

    def _told(self) -> None:
        """Each event was told at least once to whom it is for, to nobody else, and signed."""
        model, told = self.place.model, self.place.receivers.told
        for document in filter(model.stays, model.documents.values()):
            for event in document.told:
                known = (document.administration, f"document.{event}", document.document_id) in told
                self._must(known, f"{document.administration} was not told: {event} {document.document_id}")
        # Of a document in a share that ended before anybody was told of it, nothing is said any more.
        must = {
            (BANK, type_, identifier)
            for share, type_, identifier in model.to_be_told
            if model.stays(share) and (type_ == "share.ended" or (share.ended_at is None and not share.busy))
        }
        untold = must - told
        self._must(not untold, f"a relying party was not told: {untold}")
        for whom, _, object_id in told:
            known_one = model.documents.get(object_id)
            if known_one is not None and whom in (INTERIOR, JUSTICE):
                self._must(known_one.administration == whom, f"{whom} was told of {object_id}, which is another's")

    async def _receipts(self) -> None:
        """Whichever key signed it, and however often there was another one since; exports too."""
        model = self.place.model
        signed = [(one.document_id, one.receipt, "khizana-receipt+jwt", {}) for one in model.documents.values()]
        exports = [(f"export of {name}", jws, "khizana-export+jwt", said) for name, jws, said in model.exports]
        model.exports.clear()
        end = time.monotonic() + REREAD_MAX_S
        for name, jws, typ, said in [*signed, *exports]:
            while (claims := verified(jws, await self._keys(), typ)) is None and time.monotonic() < end:
                # A key that was made at once is known to each process half a minute later.
                self._jwks = None
                await asyncio.sleep(1)
            self._must(claims is not None, f"{name} is signed by nobody who is known")
            self._must(claims is None or claims.items() >= said.items(), f"{name}: {claims}, not {said}")

    async def _keys(self) -> Any:
        if self._jwks is None:
            async with self.place.rig.nodes[0].http() as http:
                jwks = (await http.get("/.well-known/jwks.json")).json()
                if len(jwks["keys"]) == PUBLISHED_MAX:
                    jwks = (await http.get("/.well-known/historical-keys.json")).json()
            self._jwks = jwks
        return self._jwks

    async def _kept_elsewhere(self, db: Database) -> None:
        """Its issuer is there: what it keeps is shown again, by itself."""
        model = self.place.model
        mine = [one for one in model.documents.values() if one.by_reference and model.kept(one)]
        for document in mine[-SHOWN_AGAIN:]:
            token = self.place.citizen_token(model.owner_of(document))
            path = f"/v1/documents/{document.document_id}/original"
            async with asyncio.timeout(SETTLED_MAX_S):
                while True:
                    answer = await self.calls.send("issuer", 0, "GET", path, token=token)
                    if answer is None or answer.status_code not in (502, 503):
                        break
                    # An issuer that failed is left alone for some seconds.
                    await self.place.as_owner("UPDATE locker.reference SET failed_at = failed_at - interval '1 minute'")
                    await asyncio.sleep(0.2)
            good = answer is not None and answer.status_code == 200 and answer.content == document.pdf
            self._must(good, f"{path}: {answer}")

    async def _erased(self, db: Database, vault: Vault) -> list[str]:
        """What of who left must stand in no table and in no log; what the law holds is there."""
        model = self.place.model
        left = [one for one in model.citizens if one.leaving]
        held = [one for one in model.documents.values() if one.held and model.owner_of(one).leaving]
        rests = """SELECT count(*) FROM locker.erasure e
                    WHERE NOT EXISTS (SELECT 1 FROM locker.legal_hold h WHERE h.owner = e.owner) OR parted_at IS NULL"""
        async with asyncio.timeout(SETTLED_MAX_S):
            while True:
                await self._settled(db)
                if not await db.fetchval(rests):
                    break
                # Minutes that a node may remember a key are over: nobody asks for anything any more.
                await self.place.as_owner(
                    "UPDATE locker.erasure SET next_attempt_at = now(), due_at = least(due_at, now())"
                )
                await erase_due(db, Audit("locker"), vault, settled_s=0)
        keys = {row["owner"]: row for row in await db.fetch("SELECT owner, wrapped_key FROM locker.citizen_key")}
        words: list[str] = []
        for citizen in left:
            mine = [one for one in held if one.owner == citizen.sub]
            if not mine:
                citizen.erased_at = citizen.erased_at or time.monotonic()
            key = keys.get(citizen.sub)
            if mine:
                self._must(key is not None and key["wrapped_key"] is not None, f"{citizen.name}: held, and no key")
            else:
                self._must(key is None or key["wrapped_key"] is None, f"{citizen.name}: the key stands")
                words += [citizen.sub, citizen.name]
            if not mine:
                words += [one.share_id for one in model.shares_of(citizen) if one.share_id]
                words += [one.upload_id for one in model.uploads_of(citizen)]
            words += [one.document_id for one in model.of(citizen) if not one.held]
        self.place.figures.held = max(self.place.figures.held, len({one.owner for one in held}))
        self.place.figures.erased = len(left) - len({one.owner for one in held})
        return words

    async def _nowhere(self, words: list[str]) -> None:
        """A deposit's answer is its administration's for a day, a message for thirty; that one waited or was refused is
        its line for good, and says of nobody (docs/erasure.md); so is one of how it was stored. A key leaves a
        tombstone."""
        found: list[str] = []
        if not words:
            return
        pattern = "|".join(words)
        async with connected(self.place.rig.deployment.owner_dsn()) as owner_db:
            tables = await owner_db.fetch(
                """SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                    WHERE n.nspname = 'locker' AND c.relkind = 'r' AND c.relname <> ALL ($1)""",
                _OF_OTHERS,
            )
            for table in tables:
                rows = await owner_db.fetch(
                    f"""SELECT t::text AS row FROM locker.{table["relname"]} t
                         WHERE t::text ~ $1 AND to_jsonb(t) ->> 'result' IS DISTINCT FROM 'document-unknown'
                           AND NOT (to_jsonb(t) ->> 'owner' IS NULL
                                    AND coalesce(to_jsonb(t) ->> 'action', '') ~ '^(deposit|archive)[.]') LIMIT 3""",
                    pattern,
                )
                found += [f"{table['relname']}: {row['row'][:300]}" for row in rows]
        for node in (*self.place.rig.nodes, *self.place.rig.workers):
            text = (node.folder / "serve.log").read_text(errors="replace")
            found += [f"log: {word}" for word in words if "Zibouane" in word and word in text]
        self._must(not found, f"left of who was erased: {found}")

    async def _objects(self, db: Database, vault: Vault) -> None:
        """I2 and I3."""
        swept = await sweep(
            db,
            Audit("locker"),
            Throttle("locker"),
            vault,
            grace_s=0,
            outbox_lifetime_s=86_400,
            refused_lifetime_s=86_400,
        )
        self.place.figures.orphans_swept += swept.orphans
        found = await reconcile(db, Audit("locker"), vault, grace_s=0)
        self._must(found.missing == [], f"I2: rows without an object: {found.missing}")
        self._must(found.unknown == [], f"I3: objects that nothing knows: {found.unknown}")

    async def _log(self, db: Database, vault: Vault) -> None:
        """I6."""
        settings = self.place.rig.deployment.locker_settings()
        async with asyncio.timeout(SETTLED_MAX_S):
            while await log_store.count_waiting(db) or (head := await log_store.head(db)).size != head.published:
                await asyncio.sleep(0.1)
        key = LogKey.load_or_create(settings.keys_folder, settings.locker_url)
        verified = await verify(db, LogObjects(vault.blobs, settings.s3_log_prefix), verifier_keys=key.verifier_keys)
        self._must(verified.findings == [], f"I6: {verified.findings}")
        rows = await db.fetchval("SELECT count(*) FROM locker.audit")
        self._must(head.size == rows, f"I6: {head.size} leaves of {rows} rows")
        self.place.figures.leaves = head.size

    def _said(self) -> None:
        """No process took anything for its own mistake."""
        for node in (*self.place.rig.nodes, *self.place.rig.workers):
            path = node.folder / "serve.log"
            text = path.read_text(errors="replace")
            fresh, self._read[path] = text[self._read.get(path, 0) :], len(text)
            for line in fresh.splitlines():
                if (fault := _fault(line)) is None:
                    continue
                if not (self.log_key_turned and "another key" in fault):
                    self._must(False, f"{path.parent.name} said: {fault[-1500:]}")

    def _must(self, holds: bool, what: str) -> None:
        self.calls.must(holds, what)


def _fault(line: str) -> str | None:
    """What this line of a log says of a mistake of ours."""
    if not line.startswith("{"):
        return line if re.search(r"Traceback|^\w*(Error|Exception)\b|panicked", line) else None
    said = json.loads(line)
    if said["level"] not in ("error", "critical") or said["event"] in ("cut", "locker.vault"):
        return None
    # A child that was killed at its start: the next job starts another one.
    if said["event"] == "kit.workers":
        return None
    # A byte of the log that changed on its way: it was written again.
    if said["event"] == "locker.log" and said["message"].startswith("damaged: "):
        return None
    return f"{said.get('message', '')}\n{said.get('exception', '')}"


_OF_OTHERS = [
    # The tombstone; what an administration was answered, of a deposit alone and in a batch, and of a change of state;
    # what was revoked before it came; which address is joined to which; how often somebody asked today; messages to an
    # administration.
    "citizen_key",
    "idempotency",
    "deposit_batch_item",
    "deposit_reference",
    "state_request",
    "document_group",
    "throttle",
    "webhook_message",
]

_DOCUMENTS = """
    SELECT d.*, s.sha256 AS data_sha256, r.document_id IS NOT NULL AS kept_elsewhere, r.copied_at IS NOT NULL AS copied,
           coalesce(r.removed, false) AS let_go
      FROM locker.document d LEFT JOIN locker.signed_data s ON s.owner = d.owner AND s.document_id = d.document_id
      LEFT JOIN locker.reference r ON r.owner = d.owner AND r.document_id = d.document_id"""

_VERSIONS = "SELECT document_id, replaces, replaced_by, version FROM locker.document"

_SHARES = """
    SELECT s.owner, s.share_id, s.openings_max, s.openings_used,
           s.revoked_at IS NOT NULL OR s.until <= now() OR coalesce(e.ended_at >= s.created_at, false) AS ended,
           (SELECT array_agg(o.opening_id) FROM locker.opening o
             WHERE o.owner = s.owner AND o.share_id = s.share_id) AS ids,
           (SELECT count(*) FROM locker.opening o WHERE o.owner = s.owner AND o.share_id = s.share_id) AS openings,
           (SELECT count(*) FROM locker.audit a WHERE a.owner = s.owner AND a.object_id = s.share_id
               AND a.action = 'share.opened' AND a.result = 'ok') AS told
      FROM locker.share s LEFT JOIN locker.shares_ended e USING (owner)"""

_WRONG_SUMS = """
    SELECT 'holding' AS of, h.owner, h.documents AS many, h.bytes, count(d.*) AS many_there,
           coalesce(sum(d.length + coalesce(s.length, 0)), 0)::bigint AS bytes_there
      FROM locker.holding h
      LEFT JOIN locker.document d ON d.owner = h.owner
      LEFT JOIN locker.signed_data s ON s.owner = d.owner AND s.document_id = d.document_id
     GROUP BY h.owner, h.documents, h.bytes
    HAVING h.documents <> count(d.*) OR h.bytes <> coalesce(sum(d.length + coalesce(s.length, 0)), 0)
     UNION ALL
    SELECT 'uploads', h.owner, h.uploads, h.bytes, count(u.*), coalesce(sum(u.length), 0)::bigint
      FROM locker.upload_holding h LEFT JOIN locker.upload u ON u.owner = h.owner AND u.gone_at IS NULL
     GROUP BY h.owner, h.uploads, h.bytes
    HAVING h.uploads <> count(u.*) OR h.bytes <> coalesce(sum(u.length), 0)"""
