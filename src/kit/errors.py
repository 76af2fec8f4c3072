"""An expected "no" is a Refusal, rendered once at the edge. Anything else is a fault: a bare 500 with a request id."""

from collections.abc import Mapping
from typing import Any, ClassVar


class Refusal(Exception):
    """Subclass it in a slice's ``refusals.py``.

    ``code`` is stable and for programs; ``title`` is one English sentence, a msgid, that tells a person what to do
    next; ``detail`` may name a parameter or a limit, never echo what the caller sent. ``members`` become extra
    members of the problem document (RFC 9457 §3.2).
    """

    code: ClassVar[str] = "refused"
    status: ClassVar[int] = 400
    title: ClassVar[str] = "This request was refused."
    other_codes: ClassVar[tuple[str, ...]] = ()
    """What an instance may answer in its place, by its ``http_code``."""

    def __init__(
        self,
        detail: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail
        self.headers = dict(headers or {})
        self.members = dict(members or {})


class OAuthRefusal(Refusal):
    """Rendered as ``{"error": code, "error_description": detail}`` (RFC 6749 §5.2)."""


class Unavailable(Refusal):
    """A part we depend on is away or full. The caller may repeat the request."""

    code, status, title = "unavailable", 503, "The service is busy or a part of it is away. Try again in a moment."

    def __init__(self, detail: str | None = None, *, retry_after_s: int = 2) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after_s)})


class TooManyRequests(Refusal):
    code, status, title = "too-many-requests", 429, "Too many attempts. Wait a little and try again."

    def __init__(self, detail: str | None = None, *, retry_after_s: int) -> None:
        super().__init__(detail, headers={"Retry-After": str(max(1, retry_after_s))})


class NotFound(Refusal):
    code, status, title = "not-found", 404, "There is nothing at this address."


class Forbidden(Refusal):
    code, status, title = "forbidden", 403, "You may not do this."


class Unauthenticated(Refusal):
    code, status, title = "unauthenticated", 401, "Sign in to go on."


class Invalid(Refusal):
    """A request that is well-formed and says something that cannot be: a wrong field, a value out of its range."""

    code, status, title = "invalid", 422, "Something in this request is not right."


class Malformed(Refusal):
    code, status, title = "malformed", 400, "This request cannot be read."


class MemberTwiceRefused(Malformed):
    """Two members of one JSON object have one name."""

    code = "member-twice"

    def __init__(self) -> None:
        super().__init__("a member stands there twice")


class BodyCutShort(Malformed):
    """Who sends it left, or stopped. Mostly nobody reads the answer any more."""

    code, title = "body-cut-short", "The body ended before it was complete."


class BodyTooLarge(Refusal):
    code, status, title = "body-too-large", 413, "This is larger than what is accepted here."


class Conflict(Refusal):
    code, status, title = "conflict", 409, "This does not fit the present state."
