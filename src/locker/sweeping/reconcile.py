from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

from kit.audit import Audit, AuditEvent
from kit.db import Database
from locker.archive import objects as archived
from locker.deposits import orphans
from locker.documents import objects
from locker.exporting import objects as exports
from locker.seals import objects as seals
from locker.signed_data import objects as data
from locker.sweeping import store
from locker.sweeping.schema import Reconciled
from locker.uploads import objects as uploads
from locker.vault import Vault, is_object_key
from locker.vault.blobs import PREFIXES
from locker.vault.schema import BlobInfo

KEPT_S = 30 * 86_400
_PAGE = 1_000
_LISTED_MAX = 10_000


async def reconcile(
    db: Database,
    audit: Audit,
    vault: Vault,
    *,
    grace_s: int,
    remove_unknown: bool = False,
    kept_s: int = KEPT_S,
    restored: bool = False,
) -> Reconciled:
    """Compare rows and objects both ways, in the order of their keys, a page at a time, while the locker works.

    An object that nothing knows and that is older than the grace is a stray: it is written down and stays. With
    ``remove_unknown``, strays go that were first met ``kept_s`` ago. One that a row knows again is a stray no more. A
    row is never touched.

    ``restored`` is for once, after the database was restored and before the first deposit: intents of the past are
    forgotten, because the sweeper would take what became documents after the backup for what died.
    """
    if restored:
        await _forget_intents(db)
    missing: list[str] = []
    unknown: list[str] = []
    documents = seen = removed = adopted = 0
    truncated = False
    async for after, until, present in _listed(vault):
        promised = await objects.promised_between(db, after=after, until=until)
        promised |= await seals.promised_between(db, after=after, until=until)
        promised |= await data.promised_between(db, after=after, until=until)
        promised |= await archived.promised_between(db, after=after, until=until)
        documents, seen = documents + len(promised), seen + len(present)
        promised |= await uploads.promised_between(db, after=after, until=until)
        promised |= await exports.promised_between(db, after=after, until=until)
        promised |= await orphans.quarantined_between(db, after=after, until=until)
        lost = await _lost(db, vault, promised, present)
        strange = await _strange(db, present, promised, grace_s=grace_s)
        adopted += await store.let_go(db, after=after, until=until, strays=strange)
        if strange:
            await store.keep(db, [present[key] for key in strange])
        if strange and remove_unknown:
            for key in await store.overdue(db, kept_s=kept_s, strays=strange):
                await vault.delete(key)
                removed += 1
        truncated = truncated or len(missing) + len(lost) > _LISTED_MAX or len(unknown) + len(strange) > _LISTED_MAX
        missing = [*missing, *lost][:_LISTED_MAX]
        unknown = [*unknown, *strange][:_LISTED_MAX]
    await audit.append(
        db,
        AuditEvent(
            action="objects.reconciled",
            actor_kind="system",
            detail={
                "documents": documents,
                "missing": len(missing),
                "unknown": len(unknown),
                "adopted": adopted,
                "removed": removed,
            },
        ),
    )
    return Reconciled(
        documents=documents,
        objects=seen,
        missing=missing,
        unknown=unknown,
        adopted=adopted,
        removed=removed,
        truncated=truncated,
    )


async def _listed(vault: Vault) -> AsyncIterator[tuple[str, str, dict[str, BlobInfo]]]:
    """The documents' objects in the order of their keys, about a page at a time: those greater than the first and up to
    the second. Folders that hold little come together."""
    after, present = PREFIXES[0], dict[str, BlobInfo]()
    for prefix in PREFIXES:
        listed, more = prefix, True
        while more:
            page = await vault.blobs.list(prefix, after=listed, limit=_PAGE)
            more = len(page) == _PAGE
            listed = page[-1].key if more else prefix + "~"
            present |= {info.key: info for info in page if is_object_key(info.key)}
            if len(present) >= _PAGE:
                yield after, listed, present
                after, present = listed, {}
    yield after, PREFIXES[-1] + "~", present


async def _forget_intents(db: Database) -> None:
    # A minute ahead: the clock of the database that was restored may be another one.
    while taken := await orphans.take(db, grace_s=-60, batch_max=_PAGE):
        for intent in taken:
            await orphans.forget(db, intent)


async def _lost(db: Database, vault: Vault, promised: dict[str, str], present: dict[str, BlobInfo]) -> list[str]:
    """Rows whose object is really not there: the page may be older than a row that was written since."""
    lost = []
    for key in promised.keys() - present.keys():
        if await vault.blobs.length(key) is not None:
            continue
        if await _promised(db, [key]) or key in await orphans.quarantined_between(db, after=key[:-1], until=key):
            lost.append(promised[key])
    return sorted(lost)


async def _strange(db: Database, present: dict[str, BlobInfo], promised: dict[str, str], *, grace_s: int) -> list[str]:
    oldest = datetime.now(UTC) - timedelta(seconds=grace_s)
    doubtful = [key for key in present.keys() - promised.keys() if (present[key].modified_at or oldest) <= oldest]
    if not doubtful:
        return []
    # Intents first: what is no longer an intent then is a document, in the same transaction.
    known = await orphans.intended(db, doubtful) | await _promised(db, doubtful)
    return sorted(set(doubtful) - known)


async def _promised(db: Database, object_keys: list[str]) -> set[str]:
    return (
        await objects.promised(db, object_keys)
        | await seals.promised(db, object_keys)
        | await archived.promised(db, object_keys)
        | await data.promised(db, object_keys)
        | await uploads.promised(db, object_keys)
        | await exports.promised(db, object_keys)
    )
