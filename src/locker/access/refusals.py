"""What a resource server says of a token it does not accept (RFC 6750 §3.1, RFC 9449 §7.1)."""

from urllib.parse import urlencode

from kit.dpop import ALGORITHMS
from kit.errors import Forbidden, Refusal

_ALGS = f'algs="{" ".join(ALGORITHMS)}"'


class TokenMissing(Refusal):
    """No error code in the challenge: the caller may not know yet that a token is needed."""

    code, status, title = "token-missing", 401, "This address needs an access token."

    def __init__(self) -> None:
        super().__init__(headers={"WWW-Authenticate": f'Bearer realm="locker", DPoP realm="locker", {_ALGS}'})


class TokenInvalid(Refusal):
    """Malformed, expired, revoked and meant for somebody else are one answer."""

    code, status, title = "invalid_token", 401, "This access token is not valid here."

    def __init__(self, detail: str | None = None) -> None:
        error = 'realm="locker", error="invalid_token"'
        super().__init__(detail, headers={"WWW-Authenticate": f"Bearer {error}, DPoP {error}, {_ALGS}"})


class ProofRefused(Refusal):
    """RFC 9449 §7.1"""

    code, status, title = "invalid_dpop_proof", 401, "The proof of this access token's key is not valid here."
    other_codes = ("use_dpop_nonce",)

    def __init__(self, detail: str | None = None, *, nonce: str, code: str = "invalid_dpop_proof") -> None:
        challenge = f'DPoP realm="locker", error="{code}", {_ALGS}'
        super().__init__(detail, headers={"WWW-Authenticate": challenge, "DPoP-Nonce": nonce})
        self.http_code = code


class ScopeMissing(Refusal):
    code, status, title = "insufficient_scope", 403, "This access token does not allow that."

    def __init__(self, scope: str) -> None:
        super().__init__(
            f"scope {scope} is needed",
            headers={"WWW-Authenticate": f'Bearer realm="locker", error="insufficient_scope", scope="{scope}"'},
        )


class DetailsMissing(Refusal):
    """From no connection of a citizen: a client's own token, or one with which somebody acts for the citizen."""

    code, status, title = "details-missing", 403, "This access token brings no authorization details for here."


class ActingForAnother(Forbidden):
    """What somebody may do for a citizen ends with the mandate, and this would not."""

    code, title = "acting-for-another", "Only the citizen can do this, not who acts for them."


class SignInNeeded(Refusal):
    """A browser without a session: it goes to sign in and comes back."""

    code, status, title = "sign-in-needed", 303, "Sign in to go on."

    def __init__(self, return_to: str) -> None:
        super().__init__(headers={"Location": f"/sign-in?{urlencode({'return_to': return_to})}"})


class SignInAgain(Refusal):
    """A session is not enough for this: the citizen proves again who it is, and comes back."""

    code, status, title = "sign-in-again", 303, "Sign in again to do this."

    def __init__(self, return_to: str) -> None:
        super().__init__(headers={"Location": f"/sign-in?{urlencode({'return_to': return_to, 'again': 'true'})}"})


class SignInTooOld(Refusal):
    """RFC 9470 §3: the wallet app sends its citizen to sign in with ``max_age`` and comes back with a new token."""

    code, status, title = "insufficient_user_authentication", 401, "Sign in again to do this."

    def __init__(self, *, max_age_s: int) -> None:
        error = f'realm="locker", error="insufficient_user_authentication", max_age="{max_age_s}"'
        super().__init__(headers={"WWW-Authenticate": f"Bearer {error}, DPoP {error}, {_ALGS}"})


class SignInLost(Refusal):
    """Spent, too old, or started in another browser: nobody can be made to sign in as somebody else (login CSRF)."""

    code, status, title = "sign-in-lost", 400, "This sign-in was not started here or took too long. Sign in again."


class SignInDeclined(Refusal):
    code, status, title = "sign-in-declined", 403, "You did not agree, so you are not signed in."


class SignInRefused(Refusal):
    """``detail`` names what did not fit, never its value."""

    code, status, title = "sign-in-refused", 502, "The identity provider's answer cannot be used. Sign in again."
