"""How refusals stand in an OpenAPI document."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from litestar.openapi.datastructures import ResponseSpec

PROBLEM = "application/problem+json"


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """RFC 9457. ``code`` is stable. What is answered before an app was asked has no ``title`` and no ``instance``."""

    type: str
    status: int
    code: str
    title: str | msgspec.UnsetType = msgspec.UNSET
    instance: str | msgspec.UnsetType = msgspec.UNSET
    detail: str | msgspec.UnsetType = msgspec.UNSET


def described(
    statuses: Iterable[int], meanings: Mapping[int, str], schema: Any, *, media_type: str = PROBLEM
) -> dict[int, ResponseSpec]:
    """For a handler's ``responses``."""
    return {
        status: ResponseSpec(schema, description=meanings[status], generate_examples=False, media_type=media_type)
        for status in statuses
    }
