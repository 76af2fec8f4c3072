"""JSON from outside, each member once: of two equal ones one reader takes the first and another the last (RFC 8259 §4).

Whoever checks and whoever acts would then read different things in one message.
"""

import json
from typing import Any, TypeVar, overload

import msgspec

T = TypeVar("T")


class MemberTwice(msgspec.DecodeError):
    """Says neither which member nor where: the names are the sender's."""

    def __init__(self) -> None:
        super().__init__("a member stands there twice")


@overload
def decode(data: bytes | str) -> Any: ...
@overload
def decode(data: bytes | str, wanted: type[T]) -> T: ...
def decode(data: bytes | str, wanted: Any = Any) -> Any:
    """As ``msgspec.json.decode``; whatever cannot be read is msgspec.DecodeError, two equal members MemberTwice."""
    try:
        encoded = data if isinstance(data, bytes) else data.encode()
        found = _any.decode(encoded)
        # Written without white space, as nearly all tokens are, it is what we write of it: nothing got lost.
        if msgspec.json.encode(found) != encoded:
            _names.decode(encoded.decode())
        return found if wanted is Any else msgspec.json.decode(encoded, type=wanted)
    except UnicodeError:
        raise msgspec.DecodeError("not UTF-8") from None
    except RecursionError:
        raise msgspec.DecodeError("nested too deeply") from None


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of these members; MemberTwice. For ``json.loads(…, object_pairs_hook=once)``."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise MemberTwice
    return members


_any = msgspec.json.Decoder()
# Numbers stay as they stand: only the names are looked at.
_names = json.JSONDecoder(object_pairs_hook=once, parse_int=str, parse_float=str)
