"""How refusals stand in the OpenAPI document."""

from typing import Any

import msgspec
from litestar.openapi.datastructures import ResponseSpec

from kit import problem

_MEANINGS = {
    400: "The request cannot be read.",
    401: "No access token, or one that is not valid here.",
    403: "The caller may not do this.",
    404: "There is nothing at this address for this caller.",
    408: "The body arrived too slowly.",
    409: "It does not fit the present state.",
    410: "This locker was erased.",
    412: "It is not as If-Match says.",
    413: "Larger than what is accepted.",
    415: "A media type that is not accepted.",
    422: "Well-formed, and refused.",
    429: "Too many requests; Retry-After says how long to wait.",
    502: "What is stored did not pass its integrity check.",
    503: "A part that is needed is away; Retry-After says how long to wait.",
    507: "There is no room left.",
}


class Problem(problem.Problem, frozen=True, kw_only=True):
    """RFC 9457. ``code`` is stable; further members depend on it. What is answered before an app was asked has no
    ``title`` and no ``instance``."""

    indication: str | msgspec.UnsetType = msgspec.UNSET
    sub_indication: str | msgspec.UnsetType = msgspec.UNSET
    errors: list[dict[str, Any]] | msgspec.UnsetType = msgspec.UNSET


def problems(*statuses: int) -> dict[int, ResponseSpec]:
    """For a handler's ``responses``."""
    return problem.described(statuses, _MEANINGS, Problem)
