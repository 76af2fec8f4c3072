"""Two kinds of "no": a page, where the relying party cannot be trusted to be the one that asked; else an error that
goes back to it (RFC 6749 §4.1.2.1, OpenID Connect Core §3.1.2.6)."""

from kit.edge import PageRefusal
from kit.errors import OAuthRefusal


class NotRedirected(PageRefusal):
    code, status = "invalid_request", 400
    title = "The service that sent you here made a request that cannot be answered. Go back to it and try again."


class UnknownClient(NotRedirected):
    code = "invalid_client"
    title = "The service that sent you here is not registered. Do not enter your password for it."


class UnregisteredRedirect(NotRedirected):
    code = "invalid_redirect_uri"
    title = "The service that sent you here named an address that it has not registered."


class InvalidRequestUri(PageRefusal):
    """Unknown, another client's, expired or used: the same from outside (O-25). Whose address the answer would go to
    cannot be known."""

    code, status = "invalid_request_uri", 400
    title = "This sign-in was used already or has taken too long. Go back to the service and begin again."


class InteractionOver(PageRefusal):
    """Unknown, expired, finished, or another browser's: the same from outside."""

    code, status = "interaction-over", 400
    title = "This sign-in is over or was begun in another browser. Go back to the service and begin again."


class AuthorizationError(Exception):
    """Goes to the relying party. ``error`` is the code of the standard; ``description`` names a parameter."""

    def __init__(self, error: str, description: str | None = None) -> None:
        super().__init__(error)
        self.error = error
        self.description = description


class UnknownRedirect(AuthorizationError):
    """Of all errors this one never goes to the address that was named."""

    def __init__(self) -> None:
        super().__init__("invalid_request", "redirect_uri is not registered")


class RequestRefused(OAuthRefusal):
    """The same error, told to the client itself: at an endpoint that it calls (RFC 9126 §2.3, RFC 8628 §3.1,
    CIBA Core §13)."""

    code, status, title = "invalid_request", 400, "The authorization request cannot be accepted."

    def __init__(self, error: AuthorizationError) -> None:
        super().__init__(error.description)
        self.http_code = error.error


class RequestUnreadable(PageRefusal):
    """A request object that cannot be trusted, from a service whose address is not known otherwise."""

    code, status = "invalid_request_object", 400
    title = "The service that sent you here made a request that cannot be answered. Go back to it and try again."

    def __init__(self, error: AuthorizationError) -> None:
        super().__init__(error.description)
        self.http_code = error.error
