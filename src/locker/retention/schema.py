import datetime as dt

import msgspec


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    document_id: str
    reference: str
    placed_by: str
    placed_at: dt.datetime


class Overdue(msgspec.Struct, frozen=True, kw_only=True):
    owner: str
    document_id: str
    type: str
    over_since: dt.datetime


class Retained(msgspec.Struct, frozen=True, kw_only=True):
    """A round of retention."""

    dry_run: bool
    documents: int
    """That are past the retention of their type and not held: removed, or in a dry run to be removed."""
    by_type: dict[str, int]
    truncated: bool
    """There are more; the next round takes them."""
