from datetime import datetime

import msgspec


class Orphan(msgspec.Struct, frozen=True, kw_only=True):
    object_key: str
    intended_at: datetime


class Swept(msgspec.Struct, frozen=True, kw_only=True):
    dry_run: bool
    orphans: int
    """Intents older than the grace, their objects removed."""
    listed: list[Orphan]
    """In a dry run: what would go, the first of them."""
    answers: int
    """Idempotent answers past their time."""
    outbox: int


class Reconciled(msgspec.Struct, frozen=True, kw_only=True):
    documents: int
    objects: int
    missing: list[str]
    """document_id, or seal_id, of rows whose object is not there: lost documents."""
    unknown: list[str]
    """Objects that no document, no seal and no intent knows."""
    """They are kept, and removed at the earliest when they were met long ago."""
    adopted: int
    """Objects that nothing knew at an earlier reconcile and that something knows now, or that are gone."""
    removed: int
    truncated: bool
    """More than what is listed."""
