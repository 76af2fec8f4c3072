"""What the templates need to say of an upload."""

import datetime as dt
import math

import msgspec

from kit.i18n import Message, _
from locker.uploads.schema import MediaType, Quota, Upload

SELF_DECLARED = (_("Self-declared"), "quiet")
_STATES: dict[str, tuple[Message, str]] = {
    "pending-scan": (_("Waits to be checked"), "wait"),
    "quarantined": (_("Harmful: kept apart"), "bad"),
    "binned": (_("In the bin"), "wait"),
}
_KINDS: dict[MediaType, Message] = {
    "application/pdf": _("PDF document"),
    "image/jpeg": _("JPEG picture"),
    "image/png": _("PNG picture"),
}


class UploadView(msgspec.Struct, frozen=True, kw_only=True):
    upload_id: str
    name: str
    """Empty where the file had none."""
    kind: Message
    chip: tuple[Message, str]
    state: tuple[Message, str] | None
    """None: there is nothing more to say than that it is self-declared."""
    size_kb: int
    served: bool
    binned: bool
    pages: int
    uploaded_at: dt.datetime
    gone_after: dt.datetime | None


class QuotaView(msgspec.Struct, frozen=True, kw_only=True):
    uploads: int
    uploads_max: int
    mb: int
    """Rounded up."""
    mb_max: int


def view(upload: Upload) -> UploadView:
    return UploadView(
        upload_id=upload.upload_id,
        name=upload.name,
        kind=_KINDS[upload.media_type],
        chip=SELF_DECLARED,
        state=_STATES.get(upload.state),
        size_kb=max(1, round(upload.length / 1_000)),
        served=upload.state == "held",
        binned=upload.state == "binned",
        pages=upload.pages,
        uploaded_at=upload.uploaded_at,
        gone_after=upload.gone_after,
    )


def quota_view(quota: Quota) -> QuotaView:
    return QuotaView(
        uploads=quota.uploads,
        uploads_max=quota.uploads_max,
        mb=math.ceil(quota.bytes / 1_000_000),
        mb_max=quota.bytes_max // 1_000_000,
    )
