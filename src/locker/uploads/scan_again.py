"""What the worker does with uploads that no scanner has judged yet."""

import asyncio
import logging
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx
from kit.errors import Refusal
from kit.ids import new_id
from locker.scanning.refusals import NoVerdict, ScannerAway
from locker.scanning.scanner import Scanner
from locker.uploads import store
from locker.uploads.schema import VERSION, PendingScan
from locker.vault import Vault

log = logging.getLogger(__name__)

Outcome = Literal["clean", "infected", "waiting", "away", "overtaken"]
_LEASE_S = 120.0
_FIRST_WAIT_S = 15.0
_WAIT_MAX_S = 600.0


class ScannedAgain(msgspec.Struct, kw_only=True):
    clean: int = 0
    infected: int = 0
    waiting: int = 0
    """No verdict of these, this time."""
    away: int = 0
    overtaken: int = 0


@dataclass(frozen=True, kw_only=True)
class ScanDesk:
    db: Database
    audit: Audit
    vault: Vault
    scanner: Scanner
    upload_max_bytes: int
    quarantine_days: int
    folder: Path | None


async def scan_again(desk: ScanDesk, *, batch_max: int = 200) -> ScannedAgain:
    """Everything that is due. Many may do it at once: each takes what nobody else has."""
    done = ScannedAgain()
    for _ in range(batch_max):
        row = await store.take_pending(desk.db, attempt=new_id(), lease_s=_LEASE_S)
        if row is None:
            break
        outcome = await _one(desk, row)
        setattr(done, outcome, getattr(done, outcome) + 1)
        if outcome == "away":
            # The others need not be read to hear the same.
            break
    return done


async def _one(desk: ScanDesk, row: PendingScan) -> Outcome:
    try:
        signature = await _signature(desk, row)
    except Refusal as refusal:
        away = isinstance(refusal, ScannerAway) and not isinstance(refusal, NoVerdict)
        if not away:
            # One that nobody can judge does not hold up those behind it.
            log.warning("an upload cannot be scanned now: %s", refusal.code)
        wait_s = min(_FIRST_WAIT_S * 2 ** min(row.attempts - 1, 16), _WAIT_MAX_S)
        upload = row.upload
        await store.scan_later(
            desk.db, owner=upload.owner, upload_id=upload.upload_id, attempt=row.attempt, wait_s=wait_s
        )
        return "away" if away else "waiting"
    return await _decide(desk, row, signature)


async def _signature(desk: ScanDesk, row: PendingScan) -> str | None:
    upload = row.upload
    content = await desk.vault.read_all(
        upload.stored,
        owner=upload.owner,
        document_id=upload.upload_id,
        version=VERSION,
        length_max=max(desk.upload_max_bytes, upload.stored.length),
    )
    with tempfile.TemporaryDirectory(prefix="khizana-scan-", dir=desk.folder) as folder:
        path = Path(folder, "file")
        await asyncio.to_thread(path.write_bytes, content)
        return (await desk.scanner.scan(path)).signature


async def _decide(desk: ScanDesk, row: PendingScan, signature: str | None) -> Outcome:
    upload = row.upload

    async def commit(tx: Tx) -> Outcome:
        if not await store.scanned(
            tx,
            owner=upload.owner,
            upload_id=upload.upload_id,
            attempt=row.attempt,
            signature=signature,
            quarantine_days=desk.quarantine_days,
        ):
            return "overtaken"
        await desk.audit.append(
            tx,
            AuditEvent(
                action="upload.quarantined" if signature else "upload.cleared",
                actor_kind="system",
                owner=upload.owner,
                object_id=upload.upload_id,
                detail={"signature": signature} if signature else {},
            ),
        )
        return "infected" if signature else "clean"

    return await desk.db.transact(commit)
