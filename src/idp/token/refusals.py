"""How it stands with who waits for a citizen (RFC 8628 §3.5, CIBA Core §11)."""

from kit.errors import OAuthRefusal


class AuthorizationPending(OAuthRefusal):
    code, status, title = "authorization_pending", 400, "The citizen has not answered yet."


class SlowDown(OAuthRefusal):
    """Pending, and this poll made the interval five seconds longer."""

    code, status, title = "slow_down", 400, "The citizen has not answered yet. Wait five seconds longer each time."


class ExpiredToken(OAuthRefusal):
    code, status, title = "expired_token", 400, "The citizen did not answer in time. Begin again."


class AccessDenied(OAuthRefusal):
    code, status, title = "access_denied", 400, "The citizen said no."
