"""Files of the citizen's own in a share: what an opener gets is never the original."""

import asyncio

from kit.db import Tx
from locker.uploads import store
from locker.uploads.desk import UploadDesk
from locker.uploads.read import UPLOAD_ID, listed_name
from locker.uploads.schema import GivenUpload, HeldUpload, SharedUpload
from locker.uploads.send import plain

PICTURES_MAX = 30


async def share(tx: Tx, *, owner: str, share_id: str, upload_ids: list[str]) -> bool:
    """In the transaction that makes the share. False where one is not this citizen's, is in the bin or unscanned."""
    wanted = list(dict.fromkeys(upload_ids))
    return await store.share(tx, owner=owner, share_id=share_id, upload_ids=wanted) == len(wanted)


async def shared(tx: Tx, *, owner: str, share_id: str) -> list[HeldUpload]:
    """Without those that went to the bin or were found harmful since."""
    return await store.shared(tx, owner=owner, share_id=share_id)


async def shared_one(tx: Tx, *, owner: str, share_id: str, upload_id: str) -> HeldUpload | None:
    if not UPLOAD_ID.fullmatch(upload_id):
        return None
    found = await store.shared(tx, owner=owner, share_id=share_id, upload_id=upload_id)
    return found[0] if found else None


async def chosen(tx: Tx, *, owner: str, upload_ids: list[str]) -> list[HeldUpload]:
    """Those that this citizen could share now, in the order asked."""
    return await store.chosen(tx, owner=owner, upload_ids=upload_ids)


async def named(
    desk: UploadDesk, *, owner: str, upload_ids: list[str] | None = None, limit: int = 0
) -> list[tuple[str, str]]:
    """Identifier and name, for the citizen's eyes: of these, or of the newest that could be shared."""
    if upload_ids is None:
        listed = await store.listed(desk.db, owner=owner, binned=False, after=None, limit=limit)
        held = [upload for upload in listed if upload.served]
    else:
        held = await store.chosen(desk.db, owner=owner, upload_ids=upload_ids)
    return [(upload.upload_id, await listed_name(desk.vault, upload)) for upload in held]


async def cleaned(desk: UploadDesk, upload: HeldUpload) -> bytes:
    """What is seen of it, without EXIF, GPS, XMP, IPTC, thumbnails, comments, names of programs and tails (P-15)."""
    async with plain(desk, upload) as path:
        into = path.with_name("cleaned")
        await desk.files.clean(path, into, upload.media_type)
        # A drawing may be many times as large as what was uploaded.
        return await asyncio.to_thread(into.read_bytes)


def message(upload: HeldUpload | GivenUpload, *, base: str, view_only: bool) -> SharedUpload:
    """``base`` is the address of the opening. The file's name may say more than was meant, so it does not leave."""
    at = f"{base}/uploads/{upload.upload_id}"
    return SharedUpload(
        upload_id=upload.upload_id,
        media_type=upload.media_type,
        pages=upload.pages,
        pictures=[f"{at}/pages/{number}.png" for number in range(1, min(upload.pages, PICTURES_MAX) + 1)],
        file=None if view_only else f"{at}/file",
    )
