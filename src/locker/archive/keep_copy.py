import logging
import tempfile
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec

from kit.audit import AuditEvent
from kit.db import Tx
from kit.errors import Refusal
from locker.archive import store
from locker.archive.copies import copy_name, read_copy, save
from locker.archive.desk import ArchiveDesk
from locker.archive.may_pass import may_pass
from locker.archive.schema import NewCopy, TakenCopy
from locker.archive.stamp_copy import NotArchivable, stamp_copy
from locker.deposits import orphans
from locker.signatures.holds_until import holds
from locker.signatures.policies import ARCHIVE
from locker.signatures.schema import Policy, Trust, Verdict
from locker.vault import Erased, FileFrames, new_object_key

log = logging.getLogger(__name__)

Outcome = Literal["made", "renewed", "lapsed", "failed", "overtaken"]


async def keep_copy(desk: ArchiveDesk, taken: TakenCopy) -> Outcome:
    """A copy with validation data and a fresh archive time stamp, judged before it takes the old one's place.

    A copy that holds no more is not stamped again: a time stamp that came too late proves nothing. It has lapsed, and
    is said to have.
    """
    now = desk.clock()
    try:
        with tempfile.TemporaryDirectory(prefix="khizana-archive-", dir=desk.folder) as folder:
            return await _keep(desk, taken, now, Path(folder))
    except Erased:
        # Its owner's key goes before its row does: nothing lapsed, and nobody is to be woken.
        return "overtaken"
    except Refusal as refusal:
        return await _put_off(desk, taken, now, refusal.code)
    except NotArchivable as refusal:
        return await _put_off(desk, taken, now, f"not-archivable: {refusal.reason}")


async def _keep(desk: ArchiveDesk, taken: TakenCopy, now: datetime, folder: Path) -> Outcome:
    current, following = folder / "current.pdf", folder / "following.pdf"
    trust = await desk.trust.trust(desk.db)
    await save(_newest(desk, taken), current)
    if taken.copy is not None:
        before = await desk.judge.validate(current, trust=trust, policy=_policy(desk), at=now)
        if not before.passed:
            if (doubt := _doubt(before)) is not None:
                return await _put_off(desk, taken, now, doubt)
            return await _lapse(desk, taken, _code(before), before)
    algorithm = desk.digest_algorithm(now)
    token = await stamp_copy(desk.stamping, current, following, trust=trust, digest_algorithm=algorithm)
    verdict = await desk.judge.validate(following, trust=trust, policy=_policy(desk), at=now)
    if not verdict.passed:
        return await _put_off(desk, taken, now, _code(verdict))
    newest = verdict.time_stamps[0]
    if not newest.passed:
        # The document may hold by older ones still; a stamp that nobody believes renews nothing.
        return await _put_off(desk, taken, now, newest.reasons[0])
    return await _store(desk, taken, following, verdict, token, trust)


def _doubt(before: Verdict) -> str | None:
    """What speaks against it and may pass. A seal counts as expired where the time stamp over it is not believed: then
    the stamp decides."""
    for stamp in before.time_stamps:
        if not stamp.passed and may_pass(stamp.sub_indication):
            return stamp.reasons[0]
    return _code(before) if may_pass(before.sub_indication) else None


def _newest(desk: ArchiveDesk, taken: TakenCopy) -> AsyncIterator[bytes]:
    if taken.copy is not None:
        return read_copy(
            desk.vault,
            taken.copy,
            owner=taken.owner,
            document_id=taken.document_id,
            generation=taken.generation,
        )
    return desk.vault.read(taken.original, owner=taken.owner, document_id=taken.document_id, version=taken.version)


async def _store(
    desk: ArchiveDesk, taken: TakenCopy, file: Path, verdict: Verdict, token: bytes, trust: Trust
) -> Outcome:
    object_key = new_object_key()
    await orphans.intend(desk.db, owner=taken.owner, object_key=object_key)
    stored = await desk.vault.put(
        owner=taken.owner,
        document_id=copy_name(taken.document_id),
        version=taken.generation + 1,
        object_key=object_key,
        frames=FileFrames(file),
        length=file.stat().st_size,
    )
    lasts = holds(token, trust)
    new = NewCopy(
        stored=stored,
        verdict=msgspec.to_builtins(verdict),
        time_stamped_at=lasts.time,
        renew_by=lasts.until,
        algorithms=lasts.algorithms,
    )

    async def commit(tx: Tx) -> Outcome:
        await desk.vault.hold_owner_key(tx, owner=taken.owner, parted_too=True)
        if not await orphans.fulfil(tx, owner=taken.owner, object_key=object_key):
            return "overtaken"
        if not await store.keep(tx, taken, new):
            # Somebody else's copy stands there; ours is the sweeper's.
            await orphans.intend(tx, owner=taken.owner, object_key=object_key)
            return "overtaken"
        if taken.copy is not None:
            await orphans.intend(tx, owner=taken.owner, object_key=taken.copy.object_key)
        await _append(desk, tx, taken, action="archive.kept", result="ok")
        return "made" if taken.copy is None else "renewed"

    return await desk.db.transact(commit)


async def _put_off(desk: ArchiveDesk, taken: TakenCopy, now: datetime, failure: str) -> Outcome:
    log.warning("document %s cannot be archived now: %s", taken.document_id, failure)
    await store.put_off_copy(desk.db, taken, failure=failure, until=now + desk.limits.wait(taken.attempts))
    return "failed"


async def _lapse(desk: ArchiveDesk, taken: TakenCopy, failure: str, verdict: Verdict) -> Outcome:
    async def commit(tx: Tx) -> Outcome:
        if not await store.let_lapse(tx, taken, failure=failure, verdict=msgspec.to_builtins(verdict)):
            return "overtaken"
        await _append(desk, tx, taken, action="archive.lapsed", result=failure)
        return "lapsed"

    log.error("the archived copy of document %s holds no more: %s", taken.document_id, failure)
    return await desk.db.transact(commit)


async def _append(desk: ArchiveDesk, tx: Tx, taken: TakenCopy, *, action: str, result: str) -> None:
    # Without an owner: a citizen's history is of who did something with a document, not of how it is stored.
    await desk.audit.append(
        tx,
        AuditEvent(
            action=action,
            actor_kind="system",
            object_id=taken.document_id,
            result=result,
            detail={"generation": taken.generation + 1},
        ),
    )


def _policy(desk: ArchiveDesk) -> Policy:
    return msgspec.structs.replace(ARCHIVE, size_max_bytes=desk.limits.size_max_bytes)


def _code(verdict: Verdict) -> str:
    return verdict.reasons[0] if verdict.reasons else verdict.indication
