"""What the templates need to say of a share."""

import msgspec

from kit.i18n import Locale, Message, _
from locker.documents.schema import name_in
from locker.shares.schema import Share

DAYS = (1, 3, 7, 14, 30)


class ShareView(msgspec.Struct, frozen=True, kw_only=True):
    share_id: str
    recipient: str
    purpose: str
    documents: list[str]
    state: Message
    tone: str
    share: Share


def share_view(share: Share, locale: Locale) -> ShareView:
    state, tone = _state(share)
    return ShareView(
        share_id=share.share_id,
        recipient=share.recipient,
        purpose=share.purpose,
        documents=[name_in(document.type_names, locale) for document in share.documents],
        state=state,
        tone=tone,
        share=share,
    )


def _state(share: Share) -> tuple[Message, str]:
    if share.live:
        return _("Active"), "good"
    if share.revoked_at:
        return _("Ended by you"), "quiet"
    if share.openings_used >= share.openings_max:
        return _("Used up"), "quiet"
    return _("Expired"), "quiet"
