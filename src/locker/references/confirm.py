import asyncio
from datetime import datetime
from pathlib import Path

import msgspec

from kit.audit import AuditEvent
from kit.db import Tx
from kit.errors import Refusal, Unavailable
from locker.administrations.find_domains import find_domains
from locker.administrations.identify import identify_again
from locker.catalogue.find_entitled import find_entitled
from locker.deposits import orphans
from locker.deposits.judge import may_pass_later, policy_of
from locker.documents.refusals import DocumentUnknown
from locker.documents.reseal import reseal
from locker.documents.schema import HeldDocument
from locker.references import store
from locker.references.check_address import check_address
from locker.references.desk import ReferenceDesk
from locker.references.fetch_pdf import NotFetched, fetch_pdf
from locker.references.refusals import IssuerAway, NotAsDeposited, NotJudgedNow
from locker.references.schema import ReferenceRow
from locker.vault import FileFrames, new_object_key

RETRY_S = 10.0
"""An issuer that failed is not asked again for the same document before."""
_LOOK_S = 0.2


async def confirm(desk: ReferenceDesk, document: HeldDocument) -> HeldDocument:
    """Before bytes leave: what the issuer keeps was found there, as it was deposited, not longer ago than the bound.

    Returns the document as it is stored then. Nothing to do for what was deposited whole, for a copy that the citizen
    keeps, and for what is fresh. One fetch at a time for each document, on all nodes: others wait for it. Raises
    IssuerAway, NotAsDeposited, NotJudgedNow, Unavailable.
    """
    if not document.by_reference:
        return document
    row = await _row(desk.deposits.db, document)
    if is_fresh(row, desk.freshness_s):
        return _as_stored(document, row)
    if row.failed_lately:
        raise _failed(row, document)
    name = (document.owner, document.document_id)
    fetching = desk.fetching.get(name)
    if fetching is None:
        fetching = desk.fetching[name] = asyncio.create_task(_fetch(desk, document))
        fetching.add_done_callback(lambda done: _over(desk, name, done))
    # Whoever leaves does not end it for the others.
    await asyncio.shield(fetching)
    return _as_stored(document, await _row(desk.deposits.db, document))


def _as_stored(document: HeldDocument, row: ReferenceRow) -> HeldDocument:
    stored = msgspec.structs.replace(
        document.stored, object_key=row.object_key, ciphertext_sha256=row.ciphertext_sha256
    )
    return msgspec.structs.replace(document, stored=stored)


def is_fresh(row: ReferenceRow, freshness_s: int) -> bool:
    return row.copied_at is not None or (row.cached and row.age_s < freshness_s)


def _over(desk: ReferenceDesk, name: tuple[str, str], done: "asyncio.Task[None]") -> None:
    del desk.fetching[name]
    if not done.cancelled():
        # Whoever asked may have gone; the outcome is in the row.
        done.exception()


async def _fetch(desk: ReferenceDesk, document: HeldDocument) -> None:
    db, owner, document_id = desk.deposits.db, document.owner, document.document_id
    while (lease := await store.claim(db, owner=owner, document_id=document_id, lease_s=desk.lease_s)) is None:
        # Another node has it. Its lease ends, whatever becomes of it.
        await asyncio.sleep(_LOOK_S)
        row = await _row(desk.deposits.db, document)
        if is_fresh(row, desk.freshness_s):
            return
        if row.failed_lately:
            raise _failed(row, document)
    failure: str | None = None
    try:
        row = await _row(desk.deposits.db, document)
        if is_fresh(row, desk.freshness_s):
            # Confirmed between our last look and our turn.
            await store.fail(db, owner=owner, document_id=document_id, lease=lease, failure=None)
            return
        await _fetch_claimed(desk, document, row, lease)
    except (IssuerAway, NotAsDeposited, NotJudgedNow) as refusal:
        failure = refusal.code
        raise
    except BaseException:
        await asyncio.shield(store.fail(db, owner=owner, document_id=document_id, lease=lease, failure=None))
        raise
    finally:
        if failure is not None:
            await _record_failure(desk, document, failure, lease)


async def _fetch_claimed(desk: ReferenceDesk, document: HeldDocument, row: ReferenceRow, lease: datetime) -> None:
    deposits = desk.deposits
    url = await deposits.vault.open_part(
        document.stored,
        owner=document.owner,
        document_id=document.document_id,
        version=document.version,
        part="url",
        sealed=row.url_sealed,
    )
    try:
        # A domain that was taken from the administration since then counts no more.
        domains = await find_domains(deposits.db, administration=document.administration)
        check_address(url.decode(), domains, loopback_allowed=desk.fetcher.loopback_allowed)
        async with fetch_pdf(desk, url.decode(), sha256=document.sha256, administration=document.administration) as (
            pdf,
            length,
        ):
            depositor = await identify_again(deposits.db, administration=document.administration)
            type_ = await find_entitled(deposits.db, administration=document.administration, type_=document.type)
            verdict = await deposits.judge.validate(
                pdf,
                trust=await deposits.trust.trust(deposits.db, depositor),
                policy=policy_of(type_.signature, size_max_bytes=deposits.limits.receive.pdf_max_bytes),
            )
            if may_pass_later(verdict):
                raise NotJudgedNow
            if not verdict.passed:
                raise NotAsDeposited
            # Also where there is an object: it may be the one that a restore brought to a place where none is.
            object_key, ciphertext_sha256 = await _put(desk, document, pdf, length)
    except NotFetched as reason:
        if reason.other:
            raise NotAsDeposited from None
        raise IssuerAway(confirmed_at=row.confirmed_at, standing=document.standing) from None
    except Refusal as refusal:
        if refusal.status >= 500:
            raise
        # Its issuer is suspended, may not issue this type any more, or has lost the domain.
        raise IssuerAway(confirmed_at=row.confirmed_at, standing=document.standing) from None

    async def record(tx: Tx) -> None:
        # An erasure that read which objects there are would not know of this one.
        await deposits.vault.hold_owner_key(tx, owner=document.owner)
        if not await store.confirm(tx, owner=document.owner, document_id=document.document_id, lease=lease):
            # It is gone, or somebody else is at it.
            await _row(tx, document)
            raise Unavailable("fetches")
        if not await orphans.fulfil(tx, owner=document.owner, object_key=object_key):
            raise Unavailable("fetches")
        await reseal(
            tx,
            owner=document.owner,
            document_id=document.document_id,
            object_key=object_key,
            ciphertext_sha256=ciphertext_sha256,
        )
        if not row.removed:
            await orphans.intend(tx, owner=document.owner, object_key=row.object_key)

    await deposits.db.transact(record)


async def _put(desk: ReferenceDesk, document: HeldDocument, pdf: Path, length: int) -> tuple[str, bytes]:
    """As another object, so that nobody who is late with the one before can harm it: its key, its digest."""
    owner, object_key = document.owner, new_object_key()
    await orphans.intend(desk.deposits.db, owner=owner, object_key=object_key)
    ciphertext_sha256 = await desk.deposits.vault.put_again(
        msgspec.structs.replace(document.stored, object_key=object_key),
        owner=owner,
        document_id=document.document_id,
        version=document.version,
        frames=FileFrames(pdf),
        length=length,
    )
    return object_key, ciphertext_sha256


async def _record_failure(desk: ReferenceDesk, document: HeldDocument, failure: str, lease: datetime) -> None:
    async def record(tx: Tx) -> None:
        failed = await store.fail(
            tx, owner=document.owner, document_id=document.document_id, lease=lease, failure=failure
        )
        if failed and failure == NotAsDeposited.code:
            await desk.deposits.audit.append(
                tx,
                AuditEvent(
                    action="document.not-confirmed",
                    actor_kind="system",
                    owner=document.owner,
                    object_id=document.document_id,
                    result=failure,
                    detail={"type": document.type, "administration": document.administration},
                ),
            )

    await desk.deposits.db.transact(record)


async def _row(tx: Tx, document: HeldDocument) -> ReferenceRow:
    row = await store.find(tx, owner=document.owner, document_id=document.document_id, retry_s=RETRY_S)
    if row is None:
        # Erased since it was read, or at the end of its retention.
        raise DocumentUnknown
    return row


def _failed(row: ReferenceRow, document: HeldDocument) -> Refusal:
    if row.failure == NotAsDeposited.code:
        return NotAsDeposited()
    if row.failure == NotJudgedNow.code:
        return NotJudgedNow()
    return IssuerAway(confirmed_at=row.confirmed_at, standing=document.standing)
