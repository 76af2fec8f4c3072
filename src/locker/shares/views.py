"""What the templates need to say of a share."""

from typing import Any

import msgspec

from kit.i18n import Locale, Message, _
from locker.documents.fields import labels, rows
from locker.documents.schema import HeldDocument, name_in
from locker.shares.schema import Share

DAYS = (1, 3, 7, 14, 30)
FACE_TO_FACE = "face-to-face"
"""Instead of a number of days."""


class ShareView(msgspec.Struct, frozen=True, kw_only=True):
    share_id: str
    recipient: str
    purpose: str
    documents: list[tuple[str, list[str]]]
    """Name, and names of the fields where it is not the whole."""
    only_fields: bool
    """Of no document the whole."""
    is_connected: bool
    """Its service is, where it depends on that."""
    state: Message
    tone: str
    share: Share


def share_view(share: Share, locale: Locale, *, is_connected: bool) -> ShareView:
    state, tone = _state(share, is_connected=is_connected)
    return ShareView(
        share_id=share.share_id,
        recipient=share.recipient,
        purpose=share.purpose,
        documents=[(name_in(document.type_names, locale), document.fields or []) for document in share.documents],
        only_fields=not share.uploads and all(document.fields for document in share.documents),
        is_connected=is_connected,
        state=state,
        tone=tone,
        share=share,
    )


def _state(share: Share, *, is_connected: bool) -> tuple[Message, str]:
    if share.live and not is_connected:
        return _("Stopped: the service is not connected"), "wait"
    if share.live:
        return _("Active"), "good"
    if share.revoked_at:
        return _("Ended by you"), "quiet"
    if share.openings_used >= share.openings_max:
        return _("Used up"), "quiet"
    return _("Expired"), "quiet"


class FieldOption(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    label: str
    value: str


def field_options(document: HeldDocument, fields: dict[str, Any], locale: Locale) -> list[FieldOption]:
    """One for each field, an object as one with all that is in it; in the order of the type's schema."""
    schema = document.fields_schema.get("properties")
    properties = schema if isinstance(schema, dict) else {}
    ordered = [*(name for name in properties if name in fields), *(name for name in fields if name not in properties)]
    options = []
    for name in ordered:
        described = properties.get(name)
        label = labels(name, described if isinstance(described, dict) else {})[locale.value]
        said = rows({name: fields[name]}, document.fields_schema)
        options.append(FieldOption(name=name, label=label, value=" · ".join(row.value for row in said)))
    return options
