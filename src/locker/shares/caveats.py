"""What limits a share: a closed set. Entries are only ever appended, and each one narrows.

A later version may know more of them. What a node does not know it cannot ask for, so it opens no such share: a new
limit is a new type of caveat, never a new member of an old one.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Any, get_args

import msgspec

CAVEATS_MAX = 100


class Documents(msgspec.Struct, frozen=True, tag="documents", forbid_unknown_fields=True):
    document_ids: tuple[str, ...]


class Uploads(msgspec.Struct, frozen=True, tag="uploads", forbid_unknown_fields=True):
    """Files of the citizen's own."""

    upload_ids: tuple[str, ...]


class Claims(msgspec.Struct, frozen=True, tag="claims", forbid_unknown_fields=True):
    """Of one of the documents only these fields, as a selectively disclosed credential; nothing else of it."""

    document_id: str
    names: tuple[str, ...]


class Until(msgspec.Struct, frozen=True, tag="until", forbid_unknown_fields=True):
    at: dt.datetime


class Openings(msgspec.Struct, frozen=True, tag="openings", forbid_unknown_fields=True):
    max: int


class OnlyForClient(msgspec.Struct, frozen=True, tag="only-for-client", forbid_unknown_fields=True):
    client_id: str


class Pin(msgspec.Struct, frozen=True, tag="pin", forbid_unknown_fields=True):
    """The PIN's keyed digest stands in its own column; here only that one is asked for."""


class ViewOnly(msgspec.Struct, frozen=True, tag="view-only", forbid_unknown_fields=True):
    """Watermarked pictures, no original."""


class Purpose(msgspec.Struct, frozen=True, tag="purpose", forbid_unknown_fields=True):
    text: str


class WhileConnected(msgspec.Struct, frozen=True, tag="while-connected", forbid_unknown_fields=True):
    """Only while the citizen's connection with the service stands, by the provider's word at each opening and each
    look. The connection stands in its own column."""


Caveat = Documents | Uploads | Claims | Until | Openings | OnlyForClient | Pin | ViewOnly | Purpose | WhileConnected
KNOWN = tuple(sorted(str(one.__struct_config__.tag) for one in get_args(Caveat)))
"""Their types, as they are written."""


def understood(kept: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those of a share that this version can read: its citizen sees it, and can end it, also where it opens nothing."""
    return [one for one in kept if one.get("type") in KNOWN]
