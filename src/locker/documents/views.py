"""What the templates need to say of a document."""

import msgspec

from kit.i18n import Locale, Message, _
from locker.documents.schema import HeldDocument, ListedDocument, name_in

_CHIPS: dict[str, tuple[Message, str]] = {
    "valid": (_("Valid"), "good"),
    "suspended": (_("Suspended"), "wait"),
    "revoked": (_("Revoked"), "bad"),
    "superseded": (_("Replaced"), "quiet"),
    "expired": (_("Expired"), "wait"),
}


class DocumentView(msgspec.Struct, frozen=True, kw_only=True):
    document_id: str
    uri: str
    name: str
    issuer: str
    chip: Message
    tone: str
    document: ListedDocument


def view(document: ListedDocument, locale: Locale) -> DocumentView:
    chip, tone = _CHIPS[document.standing]
    return DocumentView(
        document_id=document.document_id,
        uri=document.uri,
        name=name_in(document.type_names, locale),
        issuer=name_in(document.administration_names, locale),
        chip=chip,
        tone=tone,
        document=document,
    )


def sentence(document: HeldDocument, locale: Locale) -> tuple[Message, str]:
    """The first sentence of the page: whether it is authentic and current. It never says more than is so."""
    issuer = name_in(document.administration_names, locale)
    if document.standing == "valid" and document.in_dates:
        return _("Authentic and unaltered, issued by %(issuer)s, and valid today.", issuer=issuer), "good"
    if document.standing == "valid":
        return _("Authentic and unaltered, issued by %(issuer)s, but not valid yet.", issuer=issuer), "wait"
    if document.standing == "expired":
        return _("Authentic and unaltered, issued by %(issuer)s, but no longer in its dates.", issuer=issuer), "wait"
    if document.standing == "superseded" and document.state_reason:
        return _("Issued by %(issuer)s, which has corrected it since: use the newer version.", issuer=issuer), "wait"
    if document.standing == "superseded":
        return _("Issued by %(issuer)s and replaced since by a newer version.", issuer=issuer), "wait"
    if document.standing == "suspended":
        return _("Issued by %(issuer)s, which has suspended it: do not rely on it for now.", issuer=issuer), "bad"
    return _("Issued by %(issuer)s, which has revoked it: it is not valid any more.", issuer=issuer), "bad"
