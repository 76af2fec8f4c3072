from kit.i18n import Locale, Message, _
from locker.documents.schema import name_in
from locker.printed.schema import Status


def said(found: Status, locale: Locale) -> tuple[Message, str]:
    """How the document is today, in one sentence, and its tone."""
    issuer = name_in(found.administration_names, locale)
    if not found.entitled:
        sentence = _("%(issuer)s may not issue this type of document any more: do not rely on it.", issuer=issuer)
        return sentence, "bad"
    match found.standing:
        case "valid":
            return _("Issued by %(issuer)s, and valid today.", issuer=issuer), "good"
        case "expired":
            return _("Issued by %(issuer)s, and no longer in its dates.", issuer=issuer), "wait"
        case "superseded":
            return _("Issued by %(issuer)s and replaced since by a newer version.", issuer=issuer), "wait"
        case "suspended":
            return _("Issued by %(issuer)s, which has suspended it: do not rely on it for now.", issuer=issuer), "bad"
        case "revoked":
            return _("Issued by %(issuer)s, which has revoked it: it is not valid any more.", issuer=issuer), "bad"
