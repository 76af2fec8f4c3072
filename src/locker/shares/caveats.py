"""What limits a share: a closed set. Entries are only ever appended, and each one narrows."""

import datetime as dt

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


Caveat = Documents | Uploads | Claims | Until | Openings | OnlyForClient | Pin | ViewOnly | Purpose
