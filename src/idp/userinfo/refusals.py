from kit.errors import OAuthRefusal


class InvalidToken(OAuthRefusal):
    """RFC 6750 §3.1"""

    code, status, title = "invalid_token", 401, "The access token is unknown, expired, revoked or not for this."

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": 'Bearer realm="khizana", error="invalid_token"'})


class NoToken(OAuthRefusal):
    """RFC 6750 §3.1: a request without any authentication gets no error code in the header."""

    code, status, title = "invalid_request", 401, "An access token is needed."

    def __init__(self) -> None:
        super().__init__(headers={"WWW-Authenticate": 'Bearer realm="khizana"'})


class InsufficientScope(OAuthRefusal):
    code, status, title = "insufficient_scope", 403, "The access token was not given for this."

    def __init__(self, scope: str) -> None:
        super().__init__(
            headers={"WWW-Authenticate": f'Bearer realm="khizana", error="insufficient_scope", scope="{scope}"'}
        )


class TokenTwice(OAuthRefusal):
    """RFC 6750 §2: one way of sending the token."""

    code, status, title = "invalid_request", 400, "The access token is sent in more than one way."
