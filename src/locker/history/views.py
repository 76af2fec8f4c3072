"""A line of the log as a sentence."""

import datetime as dt

import msgspec

from kit.i18n import Locale, Message, _
from locker.documents.schema import name_in
from locker.history.schema import HistoryEvent

_ACTIONS: dict[str, Message] = {
    "document.deposited": _("Put a document into your locker"),
    "document.superseded": _("Replaced a document by a newer version"),
    "document.corrected": _("Corrected a document by a newer version"),
    "document.revoked": _("Revoked a document"),
    "document.suspended": _("Suspended a document"),
    "document.resumed": _("Made a suspended document valid again"),
    "document.copied": _("Kept a copy of a document in the locker"),
    "document.not-confirmed": _("Did not show a document that was not as deposited at its administration"),
    "document.viewed": _("Looked at a document"),
    "document.downloaded": _("Downloaded a document"),
    "document.data-downloaded": _("Downloaded the signed data of a document"),
    "document.verified": _("Verified a document"),
    "document.announced": _("Was sent a notice about a shared document"),
    "document.printed": _("Made a printed copy of a document"),
    "document.checked": _("Checked a printed copy of a document"),
    "share.created": _("Made a link to share documents"),
    "request.given": _("Gave what a service asked for"),
    "request.declined": _("Declined what a service asked for"),
    "request.authorized": _("Took what you allowed it at sign-in"),
    "share.narrowed": _("Narrowed a shared link"),
    "share.revoked": _("Ended a shared link"),
    "share.all-ended": _("Ended all shared links"),
    "share.opened": _("Opened a shared link"),
    "share.announced": _("Was sent a notice that a shared link was ended"),
    "share.downloaded": _("Downloaded a shared document"),
    "share.refused": _("Was refused at a shared link"),
    "share.checked": _("Asked whether shared fields still hold"),
    "share.pin-locked": _("Tried too many wrong PINs on a shared link and was stopped"),
    "upload.received": _("Put a file of your own into your locker"),
    "upload.quarantined": _("Put a file with harmful software apart"),
    "upload.cleared": _("Found no harmful software in a file"),
    "upload.viewed": _("Looked at a file of your own"),
    "upload.downloaded": _("Downloaded a file of your own"),
    "upload.deleted": _("Moved a file of your own to the bin"),
    "upload.restored": _("Restored a file of your own from the bin"),
    "upload.gone": _("Destroyed a file of your own"),
    "document.retired": _("Removed a document whose time to be kept was over"),
    "hold.placed": _("Placed a legal hold on a document"),
    "hold.released": _("Ended a legal hold on a document"),
    "erasure.asked": _("Asked for the locker to be erased"),
    "erasure.withdrawn": _("Undid the erasure of the locker"),
    "export.asked": _("Asked for a copy of everything"),
    "export.made": _("Made the copy of everything"),
    "export.downloaded": _("Downloaded the copy of everything"),
    "export.removed": _("Destroyed the copy of everything"),
    "export.ended": _("Destroyed the copy of everything, whose day was over"),
    "session.started": _("Signed in"),
    "session.ended": _("Signed out"),
}
_RESULTS: dict[str, Message] = {
    "wrong-pin": _("Refused: wrong PIN"),
    "not-for-you": _("Refused: not the relying party it was made for"),
    "share-closed": _("Refused: the link was over"),
    "not-connected": _("Refused: the service is not connected"),
}


class LineView(msgspec.Struct, frozen=True, kw_only=True):
    at: dt.datetime
    action: Message
    who: Message
    who_name: str
    """A name to be isolated, or empty where ``who`` says it all."""
    identifier: str
    types: list[str]
    fields: list[str]
    purpose: str
    ok: bool
    result: Message
    href: str | None
    number: int | None
    proof: str | None
    """Where the file that proves it is; None while it waits for its place in the log."""


def line(event: HistoryEvent, locale: Locale) -> LineView:
    who, name = _who(event, locale)
    return LineView(
        at=event.at,
        action=_ACTIONS.get(event.action, _("Other: %(action)s", action=event.action)),
        who=who,
        who_name=name,
        identifier=event.actor if event.actor_kind == "client" else "",
        types=[name_in(names, locale) or code for code, names in event.types.items()],
        fields=event.fields,
        purpose=event.purpose or "",
        ok=event.result == "ok",
        result=_("Done") if event.result == "ok" else _RESULTS.get(event.result, _("Refused")),
        href=_href(event),
        number=event.number,
        proof=None if event.number is None else f"/wallet/history/{event.audit_id}/proof",
    )


def _who(event: HistoryEvent, locale: Locale) -> tuple[Message, str]:
    if event.actor_kind == "citizen":
        return _("You"), ""
    if event.actor_names:
        return _("Administration"), name_in(event.actor_names, locale)
    if event.actor_kind == "client":
        return _("Service"), event.recipient or ""
    if event.recipient:
        return _("Holder of the link for"), event.recipient
    if event.actor_kind == "anonymous":
        return _("Somebody who has the file"), ""
    if event.actor_kind == "officer":
        return _("An officer of Khizana"), ""
    return _("Khizana"), ""


def _href(event: HistoryEvent) -> str | None:
    if not event.object_id:
        return None
    if event.action.startswith("document."):
        if event.result == "document-unknown":
            return None
        return f"/wallet/documents/{event.object_id}"
    if event.action.startswith("upload.") and event.action != "upload.gone":
        return f"/wallet/uploads/{event.object_id}"
    return f"/wallet/shares/{event.object_id}" if event.action.startswith("share.") else None
