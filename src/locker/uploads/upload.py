from kit.audit import AuditEvent
from kit.db import Tx
from kit.errors import TooManyRequests
from kit.ids import new_public_id
from kit.throttle import Limit
from locker.deposits import orphans
from locker.scanning.refusals import ScannerAway
from locker.scanning.schema import Scanned
from locker.uploads import store
from locker.uploads.desk import UploadDesk, Uploader
from locker.uploads.name import shown_name
from locker.uploads.receive import Received
from locker.uploads.refusals import IdempotencyKeyReused, UploadOvertaken, UploadsFull, WorkerSpent
from locker.uploads.schema import VERSION, HeldUpload, MediaType, NewUpload, Scan
from locker.vault import FileFrames, new_object_key

COSTLY = Limit("uploads-costly", attempts=5, per_s=3_600)
"""Files that cost a worker, by citizen: of those there are few, and everybody's files are looked at by them."""


class _Again(Exception):
    """Its key has an upload: what this attempt stored is the sweeper's."""


async def upload(desk: UploadDesk, received: Received, uploader: Uploader, *, idempotency_key: str) -> HeldUpload:
    """Look, scan, intend, PUT, then one transaction (docs/adr/0004). A repeated key gets the first one's upload.

    Two attempts at once under one key both work; one of them becomes the upload and both answer with it. What no
    scanner could judge is kept and served to nobody until one has; what one found is kept apart.
    """
    again = await _of_key(desk, received, uploader, idempotency_key)
    if again is not None:
        return again
    await desk.throttle.count(desk.db, desk.limits.per_owner, uploader.owner)
    media_type, pages = await _inspected(desk, received, uploader.owner)
    scan, scanned = await _scan(desk, received)
    owner, upload_id, object_key = uploader.owner, new_public_id(), new_object_key()
    await orphans.intend(desk.db, owner=owner, object_key=object_key)
    stored = await desk.vault.put(
        owner=owner,
        document_id=upload_id,
        version=VERSION,
        object_key=object_key,
        frames=FileFrames(received.path),
        length=received.length,
    )
    assert stored.plaintext_sha256 == received.sha256, "the file changed while it was looked at and sealed"
    new = NewUpload(
        owner=owner,
        upload_id=upload_id,
        uploaded_by=uploader.actor,
        media_type=media_type,
        pages=pages,
        idempotency_key=idempotency_key,
        request_sha256=received.sha256,
        stored=stored,
        name_sealed=await desk.vault.seal_part(
            stored,
            owner=owner,
            document_id=upload_id,
            version=VERSION,
            part="name",
            plaintext=shown_name(received.file_name).encode(),
        ),
        scan=scan,
        scan_signature=scanned.signature,
    )

    async def commit(tx: Tx) -> HeldUpload:
        await desk.vault.hold_owner_key(tx, owner=owner)
        if not await orphans.fulfil(tx, owner=owner, object_key=object_key):
            raise UploadOvertaken
        inserted = await store.insert(tx, new, quarantine_days=desk.limits.bin_days)
        if inserted is None:
            raise _Again
        await _count(tx, desk, owner, received.length)
        await desk.audit.append(tx, _event(new, uploader))
        return inserted

    try:
        return await desk.db.transact(commit)
    except _Again:
        winner = await _of_key(desk, received, uploader, idempotency_key)
        if winner is None:
            raise UploadOvertaken from None
        return winner


async def _inspected(desk: UploadDesk, received: Received, owner: str) -> tuple[MediaType, int]:
    if await desk.throttle.attempts(desk.db, COSTLY, owner) >= COSTLY.attempts:
        raise TooManyRequests(COSTLY.name, retry_after_s=COSTLY.per_s)
    try:
        return await desk.files.inspect(received.path)
    except WorkerSpent:
        await desk.throttle.count(desk.db, COSTLY, owner, blocks=False)
        raise


async def _of_key(desk: UploadDesk, received: Received, uploader: Uploader, idempotency_key: str) -> HeldUpload | None:
    found = await store.of_key(
        desk.db, owner=uploader.owner, uploaded_by=uploader.actor, idempotency_key=idempotency_key
    )
    if found is not None and found.request_sha256 != received.sha256:
        raise IdempotencyKeyReused
    return found


async def _scan(desk: UploadDesk, received: Received) -> tuple[Scan, Scanned]:
    if desk.scanner is None:
        return "none", Scanned()
    try:
        scanned = await desk.scanner.scan(received.path)
    except ScannerAway:
        return "pending", Scanned()
    return ("clean" if scanned.clean else "infected"), scanned


async def _count(tx: Tx, desk: UploadDesk, owner: str, length: int) -> None:
    limits = desk.limits
    if not await store.count_in(
        tx,
        owner=owner,
        length=length,
        uploads_max=limits.uploads_per_owner_max,
        bytes_max=limits.bytes_per_owner_max,
    ):
        raise UploadsFull(uploads=limits.uploads_per_owner_max, bytes_=limits.bytes_per_owner_max)


def _event(new: NewUpload, uploader: Uploader) -> AuditEvent:
    return AuditEvent(
        action="upload.quarantined" if new.scan == "infected" else "upload.received",
        actor_kind=uploader.kind,
        actor=uploader.actor,
        owner=new.owner,
        object_id=new.upload_id,
        detail={
            "media_type": new.media_type,
            "scan": new.scan,
            **({"signature": new.scan_signature} if new.scan_signature else {}),
        },
    )
