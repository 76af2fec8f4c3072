"""What a resource server says of a token it does not accept (RFC 6750 §3.1)."""

from kit.errors import Refusal


class TokenMissing(Refusal):
    """No error code in the challenge: the caller may not know yet that a token is needed."""

    code, status, title = "token-missing", 401, "This address needs an access token."

    def __init__(self) -> None:
        super().__init__(headers={"WWW-Authenticate": 'Bearer realm="locker"'})


class TokenInvalid(Refusal):
    """Malformed, expired, revoked and meant for somebody else are one answer."""

    code, status, title = "invalid_token", 401, "This access token is not valid here."

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": 'Bearer realm="locker", error="invalid_token"'})


class ScopeMissing(Refusal):
    code, status, title = "insufficient_scope", 403, "This access token does not allow that."

    def __init__(self, scope: str) -> None:
        super().__init__(
            f"scope {scope} is needed",
            headers={"WWW-Authenticate": f'Bearer realm="locker", error="insufficient_scope", scope="{scope}"'},
        )
