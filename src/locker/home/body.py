"""JSON bodies, decoded once at the edge."""

from typing import Any, TypeVar

import msgspec
from litestar import Request

from kit import strict_json
from kit.errors import Invalid, Malformed, MemberTwiceRefused

T = TypeVar("T")


async def decoded(request: Request[Any, Any, Any], type_: type[T]) -> T:
    """Not JSON is 400; JSON that says something unknown or out of its range is 422 and names the place (V-03)."""
    try:
        return strict_json.decode(await request.body(), type_)
    except msgspec.ValidationError as fault:
        raise Invalid(str(fault)) from None
    except strict_json.MemberTwice:
        raise MemberTwiceRefused from None
    except msgspec.DecodeError:
        raise Malformed from None
