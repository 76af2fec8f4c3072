"""If-Match and If-None-Match (RFC 9110 §13) for bytes that never change."""

from locker.documents.refusals import DocumentChanged

_FIELD_MAX = 4_096


def not_modified(*, etag: str, if_match: str | None, if_none_match: str | None) -> bool:
    """Whether 304 is the answer. Raises DocumentChanged (412)."""
    if if_match is not None and not names(if_match, etag, weak=False):
        raise DocumentChanged
    return if_none_match is not None and names(if_none_match, etag, weak=True)


def same_bytes(if_range: str | None, etag: str) -> bool:
    """Whether a Range still speaks of these bytes (§13.1.5): a date never does, we do not know it to the second."""
    return if_range is None or if_range.strip() == etag


def names(field: str, etag: str, *, weak: bool) -> bool:
    """Whether the list of entity tags holds this one, or is ``*`` (RFC 9110 §8.8.3.2)."""
    if len(field) > _FIELD_MAX:
        return False
    for entry in field.split(","):
        tag = entry.strip()
        if weak:
            tag = tag.removeprefix("W/")
        if tag in ("*", etag):
            return True
    return False
