from kit.db import Database
from locker.access.cursor import Cursors, Position
from locker.uploads import store
from locker.uploads.desk import UploadLimits
from locker.uploads.read import listed_name, said
from locker.uploads.schema import Quota, UploadPage
from locker.vault import Vault

PAGE_MAX = 100


async def list_uploads(
    db: Database,
    vault: Vault,
    cursors: Cursors,
    limits: UploadLimits,
    *,
    owner: str,
    binned: bool,
    after: str | None,
    limit: int,
) -> UploadPage:
    """Newest first; ``after`` is a cursor of the same list."""
    name = "uploads-bin" if binned else "uploads"
    position = cursors.read(after, owner=owner, of=name) if after else None
    rows = await store.listed(db, owner=owner, binned=binned, after=position, limit=limit + 1)
    following = None
    if len(rows) > limit:
        last = rows[limit - 1]
        following = cursors.write(Position(last.uploaded_at, last.upload_id), owner=owner, of=name)
    return UploadPage(
        uploads=[said(row, await listed_name(vault, row)) for row in rows[:limit]],
        next=following,
        quota=await quota(db, limits, owner=owner),
    )


async def quota(db: Database, limits: UploadLimits, *, owner: str) -> Quota:
    uploads, bytes_ = await store.holding(db, owner=owner)
    return Quota(
        uploads=uploads,
        uploads_max=limits.uploads_per_owner_max,
        bytes=bytes_,
        bytes_max=limits.bytes_per_owner_max,
    )
