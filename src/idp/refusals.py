"""The error codes that several endpoints share, as the RFCs spell them."""

from collections.abc import Iterator
from contextlib import contextmanager

from kit.errors import OAuthRefusal, TooManyRequests


class InvalidRequest(OAuthRefusal):
    """RFC 6749 §5.2"""

    code, status, title = "invalid_request", 400, "A parameter is missing, repeated or malformed."


class InvalidClient(OAuthRefusal):
    """RFC 6749 §5.2: 401, and WWW-Authenticate where the client used that header."""

    code, status, title = "invalid_client", 401, "The client could not be authenticated."


class InvalidGrant(OAuthRefusal):
    code, status, title = "invalid_grant", 400, "The code or token is unknown, used, expired, or not this client's."


class UnauthorizedClient(OAuthRefusal):
    code, status, title = "unauthorized_client", 400, "This client is not registered for this."


class UnsupportedGrantType(OAuthRefusal):
    code, status, title = "unsupported_grant_type", 400, "This grant type is not supported."


class InvalidScope(OAuthRefusal):
    code, status, title = "invalid_scope", 400, "A scope is unknown, malformed or more than what was given."


class InvalidTarget(OAuthRefusal):
    """RFC 8707 §2"""

    code, status, title = "invalid_target", 400, "This resource is unknown or not the one that was agreed to."


class InvalidDpopProof(OAuthRefusal):
    """RFC 9449 §5"""

    code, status, title = "invalid_dpop_proof", 400, "The DPoP proof is missing, malformed or not for this request."


class UseDpopNonce(OAuthRefusal):
    """RFC 9449 §8: the answer's header ``DPoP-Nonce`` holds the one to repeat the request with."""

    code, status, title = "use_dpop_nonce", 400, "The DPoP proof needs the nonce of this answer."


class InvalidClientMetadata(OAuthRefusal):
    """RFC 7591 §3.2.2"""

    code, status, title = "invalid_client_metadata", 400, "A member of the client's metadata cannot be accepted."


class InvalidRedirectUri(OAuthRefusal):
    """RFC 7591 §3.2.2"""

    code, status, title = "invalid_redirect_uri", 400, "A redirection URI cannot be accepted."


class TooFast(OAuthRefusal):
    """RFC 6585 §4. RFC 6749 §5.2 has no code for it; this one it has for the authorization endpoint (§4.1.2.1)."""

    code, status, title = "temporarily_unavailable", 429, "Too many requests. Wait a little and try again."


@contextmanager
def said_as_oauth() -> Iterator[None]:
    """A limit of the database's, as an endpoint of OAuth says it. Raises TooFast."""
    try:
        yield
    except TooManyRequests as refused:
        raise TooFast(headers=refused.headers) from None
