from collections.abc import Mapping

from kit.dpop import ALGORITHMS
from kit.errors import OAuthRefusal

_ALGS = f'algs="{" ".join(ALGORITHMS)}"'


class InvalidToken(OAuthRefusal):
    """RFC 6750 §3.1, RFC 9449 §7.1"""

    code, status, title = "invalid_token", 401, "The access token is unknown, expired, revoked or not for this."

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": _challenges('error="invalid_token"')})


class NoToken(OAuthRefusal):
    """RFC 6750 §3.1: a request without any authentication gets no error code in the header."""

    code, status, title = "invalid_request", 401, "An access token is needed."

    def __init__(self) -> None:
        super().__init__(headers={"WWW-Authenticate": _challenges(None)})


class ProofNotAccepted(OAuthRefusal):
    """RFC 9449 §7.1: at a resource the answer is 401 and says which algorithms are accepted."""

    code, status, title = "invalid_dpop_proof", 401, "The DPoP proof is missing, malformed or not for this request."
    other_codes = ("use_dpop_nonce",)

    def __init__(
        self, detail: str | None = None, *, headers: Mapping[str, str] | None = None, code: str = "invalid_dpop_proof"
    ) -> None:
        challenge = f'DPoP realm="khizana", error="{code}", {_ALGS}'
        super().__init__(detail, headers={"WWW-Authenticate": challenge, **(headers or {})})
        self.http_code = code

    @classmethod
    def of(cls, refused: OAuthRefusal) -> "ProofNotAccepted":
        """What the token endpoint would say with 400."""
        return cls(refused.detail, headers=refused.headers, code=refused.code)


class InsufficientScope(OAuthRefusal):
    code, status, title = "insufficient_scope", 403, "The access token was not given for this."

    def __init__(self, scope: str) -> None:
        super().__init__(
            headers={"WWW-Authenticate": f'Bearer realm="khizana", error="insufficient_scope", scope="{scope}"'}
        )


class TokenTwice(OAuthRefusal):
    """RFC 6750 §2: one way of sending the token."""

    code, status, title = "invalid_request", 400, "The access token is sent in more than one way."


def _challenges(error: str | None) -> str:
    """Both schemes (RFC 9449 §7.2): which of them a token needs, the token says."""
    bearer = 'Bearer realm="khizana"' + (f", {error}" if error else "")
    return f'{bearer}, DPoP realm="khizana", ' + (f"{error}, {_ALGS}" if error else _ALGS)
