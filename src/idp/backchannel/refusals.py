"""CIBA Core §13, as far as it is not in RFC 6749."""

from kit.errors import OAuthRefusal


class UnknownUserId(OAuthRefusal):
    """Also for a hint of no form that there is, and for whoever is not active: the standard wants the code, and no more
    is told."""

    code, status, title = "unknown_user_id", 400, "The hint names nobody."


class InvalidBindingMessage(OAuthRefusal):
    code, status = "invalid_binding_message", 400
    title = "A binding_message has at most 20 letters, digits, spaces or dashes."


class AccessDenied(OAuthRefusal):
    """The citizen has shut this client out, or was asked too often."""

    code, status, title = "access_denied", 403, "This citizen is not asked."
