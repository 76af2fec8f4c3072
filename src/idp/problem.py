"""How refusals stand in the OpenAPI document. Pages are for people: theirs are pages, and stand nowhere."""

import msgspec
from litestar.openapi.datastructures import ResponseSpec

from kit.problem import Problem, described


class OAuthError(msgspec.Struct, frozen=True, kw_only=True):
    """RFC 6749 §5.2, RFC 6750 §3.1, RFC 7591 §3.2.2: ``error`` is the standard's word."""

    error: str
    error_description: str


_MEANINGS = {
    400: "The request cannot be read or accepted.",
    401: "Nobody proved who asks.",
    403: "The caller may not do this.",
    404: "There is nothing of this kind.",
    408: "The body arrived too slowly.",
    409: "It does not fit the present state.",
    413: "Larger than what is accepted.",
    415: "No compressed body is accepted.",
    422: "Well-formed, and refused.",
    429: "Too many requests; Retry-After says how long to wait.",
    503: "A part that is needed is away; Retry-After says how long to wait.",
}
AWAY = (503,)
WITH_BODY = (408, 413, 415, 503)
"""What any request with a body may get before its endpoint looks at it."""


def refusals(*, oauth: tuple[int, ...] = (), problems: tuple[int, ...] = AWAY) -> dict[int, ResponseSpec]:
    """For a handler's ``responses``: with which statuses it answers as OAuth does, and with which a problem document
    (RFC 9457). One status may be both."""
    both = set(oauth) & set(problems)
    return {
        **described(problems, _MEANINGS, Problem),
        **described(oauth, _MEANINGS, OAuthError, media_type="application/json"),
        **described(both, _MEANINGS, OAuthError | Problem, media_type="application/json"),
    }


CLIENT_S_FORM = refusals(oauth=(400, 401, 429), problems=WITH_BODY)
"""Of an endpoint at which a client authenticates, with a form."""
