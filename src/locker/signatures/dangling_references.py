"""A reference to an object that no revision defines is null (ISO 32000-2 §7.3.10); pyHanko's comparison stops at it.

Some signing programs leave such references in their validation data. When a later revision defines the object, the
comparison sees it there, as new.
"""

from typing import Any

from pyhanko.pdf_utils.xref import XRefCache

_introducing_revision = XRefCache.get_introducing_revision


def _or_never(self: XRefCache, reference: Any) -> int:
    try:
        return int(_introducing_revision(self, reference))
    except KeyError:
        return -1


def install() -> None:
    """Only a worker process calls this: it changes pyHanko for the whole process."""
    XRefCache.get_introducing_revision = _or_never  # type: ignore[assignment,method-assign]
