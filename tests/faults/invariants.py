"""What must hold after every fault, asked in one place."""

import asyncio
import hashlib

from kit.audit import Audit
from kit.throttle import Throttle
from locker.log import store
from locker.log.checkpoint import LogKey
from locker.log.objects import LogObjects
from locker.log.verify import verify
from locker.sweeping.reconcile import reconcile
from locker.sweeping.sweep import sweep
from locker.vault import Stored
from tests.faults.rig import Rig


async def check(rig: Rig) -> None:
    """I1 to I6 over everything that the run ever answered; nobody deposits meanwhile. Adds to the figures."""
    db, figures = rig.db, rig.figures
    rows = {row["document_id"]: row for row in await db.fetch("SELECT * FROM locker.document")}
    answered = {answer["document_id"]: answer for answer in rig.answered.values()}
    figures.answered_201 = len(rig.answered)
    figures.losses = len(answered.keys() - rows.keys())
    assert figures.losses == 0
    # I4: one key, one document. A document whose answer was lost on its way has a key that we know all the same.
    assert len(answered) == len(rig.answered)
    kept = await db.fetch("SELECT answer->>'document_id' AS id FROM locker.idempotency WHERE answer IS NOT NULL")
    assert sorted(row["id"] for row in kept) == sorted(rows)
    # I1: every answered 201 is readable and equal.
    for document_id, answer in answered.items():
        row = rows[document_id]
        stored = Stored.of(row)
        content = await rig.vault.read_all(
            stored, owner=row["owner"], document_id=document_id, version=row["version"], length_max=10_000_000
        )
        assert hashlib.sha256(content).hexdigest() == answer["sha256"]
    # I2: no row without its object; I3: no object unreferenced after a sweep. No row comes or goes meanwhile.
    audit = Audit("locker")
    swept = await sweep(
        db, audit, Throttle("locker"), rig.vault, grace_s=0, outbox_lifetime_s=86_400, refused_lifetime_s=86_400
    )
    figures.orphans_swept += swept.orphans
    after = await reconcile(db, audit, rig.vault, grace_s=0)
    assert (after.documents, after.objects, after.missing, after.unknown) == (len(rows), len(rows), [], [])
    assert await db.fetchval("SELECT count(*) FROM locker.deposit_intent") == 0
    deposited = await db.fetchval("SELECT count(*) FROM locker.audit WHERE action = 'document.deposited'")
    assert deposited == len(rows)
    assert await db.fetchval("SELECT documents FROM locker.holding") == len(rows)
    # I5: every opening has its access row, and there are no more than the citizen allowed.
    shares = await db.fetch(
        """
        SELECT s.openings_max, s.openings_used,
               (SELECT count(*) FROM locker.opening o WHERE o.owner = s.owner AND o.share_id = s.share_id) AS openings,
               (SELECT count(*) FROM locker.audit a
                 WHERE a.owner = s.owner AND a.object_id = s.share_id AND a.action = 'share.opened') AS told
          FROM locker.share s"""
    )
    for share in shares:
        assert share["openings_used"] == share["openings"] == share["told"] <= share["openings_max"]
    figures.openings = sum(share["openings"] for share in shares)
    figures.leaves = await log_verifies(rig)


async def log_verifies(rig: Rig) -> int:
    """I6: every row is a leaf as it was written, and what is published is this tree: of how many leaves."""
    settings = rig.deployment.locker_settings()
    assert rig.worker.alive(), rig.worker.said()
    async with asyncio.timeout(30):
        while await store.count_waiting(rig.db) or (head := await store.head(rig.db)).size != head.published:
            await asyncio.sleep(0.1)
    key = LogKey.load_or_create(settings.keys_folder, settings.locker_url)
    verified = await verify(
        rig.db, LogObjects(rig.vault.blobs, settings.s3_log_prefix), verifier_keys=key.verifier_keys
    )
    assert verified.findings == []
    rows = await rig.db.fetchval("SELECT count(*) FROM locker.audit")
    assert head.size == rows
    return int(head.size)
