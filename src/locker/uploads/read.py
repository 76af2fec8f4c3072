import re

from kit.audit import AuditEvent
from kit.db import Database, Tx
from kit.errors import Refusal
from locker.uploads import store
from locker.uploads.desk import UploadDesk, Uploader
from locker.uploads.refusals import InBin, NotScannedYet, Quarantined, UploadUnknown
from locker.uploads.schema import VERSION, HeldUpload, Upload
from locker.vault import BlobDamaged, Vault

UPLOAD_ID = re.compile(r"[0-9A-HJKMNP-TV-Z]{25}", re.ASCII)


async def find(db: Database, *, owner: str, upload_id: str) -> HeldUpload:
    """UploadUnknown for another's, one that is gone, one that never was."""
    found = await store.find(db, owner=owner, upload_id=upload_id) if UPLOAD_ID.fullmatch(upload_id) else None
    if found is None:
        raise UploadUnknown
    return found


def refuse_unserved(upload: HeldUpload) -> Refusal | None:
    """Why nobody gets its bytes now, not even its owner."""
    if upload.state == "binned":
        return InBin()
    if upload.state == "pending-scan":
        return NotScannedYet()
    return Quarantined() if upload.state == "quarantined" else None


async def open_upload(desk: UploadDesk, uploader: Uploader, upload_id: str, *, action: str) -> HeldUpload:
    """Found, to be served, and written down; or refused, and written down."""
    found = await find(desk.db, owner=uploader.owner, upload_id=upload_id)

    async def within(tx: Tx) -> HeldUpload:
        # Read again: what was binned or found harmful meanwhile is not served.
        current = await store.find(tx, owner=uploader.owner, upload_id=found.upload_id)
        if current is None:
            raise UploadUnknown
        refusal = refuse_unserved(current)
        await desk.audit.append(
            tx,
            AuditEvent(
                action=action,
                actor_kind=uploader.kind,
                actor=uploader.actor,
                owner=uploader.owner,
                object_id=upload_id,
                result=refusal.code if refusal else "ok",
            ),
        )
        return current

    current = await desk.db.transact(within)
    if refusal := refuse_unserved(current):
        raise refusal
    return current


async def name_of(vault: Vault, upload: HeldUpload) -> str:
    """As the citizen called it; empty where the file had no name."""
    sealed = await vault.open_part(
        upload.stored,
        owner=upload.owner,
        document_id=upload.upload_id,
        version=VERSION,
        part="name",
        sealed=upload.name_sealed,
    )
    return sealed.decode()


async def listed_name(vault: Vault, upload: HeldUpload) -> str:
    """The same in a list, which one row that was tampered with does not stop: it stands there without a name."""
    try:
        return await name_of(vault, upload)
    except BlobDamaged:
        return ""


async def message(vault: Vault, upload: HeldUpload) -> Upload:
    return said(upload, await name_of(vault, upload))


def said(upload: HeldUpload, name: str) -> Upload:
    return Upload(
        upload_id=upload.upload_id,
        name=name,
        media_type=upload.media_type,
        pages=upload.pages,
        length=upload.stored.length,
        sha256=upload.stored.plaintext_sha256.hex(),
        state=upload.state,
        uploaded_at=upload.uploaded_at,
        gone_after=upload.purge_at,
    )
