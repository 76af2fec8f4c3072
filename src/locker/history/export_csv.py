"""The history as CSV, a few hundred lines in memory at a time."""

import csv
import io
import re
from collections.abc import AsyncIterator, Iterable

from kit.db import Tx
from locker.access.cursor import Cursors
from locker.history.list_history import list_history
from locker.history.schema import Chosen, HistoryEvent

_BATCH = 500
ROWS_MAX = 1_000_000
_HEADS = (
    "number", "at", "action", "actor_kind", "actor", "actor_name", "recipient", "object_id", "types", "fields",
    "purpose", "result",
)  # fmt: skip


async def export_csv(tx: Tx, cursors: Cursors, *, owner: str, chosen: Chosen) -> AsyncIterator[bytes]:
    """RFC 4180, UTF-8 with a byte order mark, which spreadsheets need to read Arabic."""
    # Goes out with the first lines and not before they are there.
    heads = b"\xef\xbb\xbf" + _lines([_HEADS])
    after: str | None = None
    for _batch in range(ROWS_MAX // _BATCH):
        page = await list_history(tx, cursors, owner=owner, chosen=chosen, after=after, limit=_BATCH)
        yield heads + _lines(_cells(event) for event in page.events)
        heads, after = b"", page.next
        if after is None:
            return


# Full-width forms are read as the others where the spreadsheet speaks Japanese or Chinese. What a spreadsheet of
# another country takes for the end of a cell (French ones: a semicolon, quotation marks or not) begins one there.
_FORMULA = re.compile(r"""(^|[;,|"'\t\r\n])([\s\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]*)(?=[=+\-@＝＋－＠])""")


def cell(text: str) -> str:
    """A spreadsheet runs what begins like a formula (U-29): an apostrophe before it makes it text."""
    if text.startswith(("\t", "\r", "\n")):
        text = f"'{text}"
    return _FORMULA.sub(r"\1'\2", text)


def _cells(event: HistoryEvent) -> tuple[str, ...]:
    names = event.actor_names or {}
    return tuple(
        cell(text)
        for text in (
            "" if event.number is None else str(event.number),
            event.at.isoformat(),
            event.action,
            event.actor_kind,
            event.actor,
            names.get("fr", ""),
            event.recipient or "",
            event.object_id or "",
            " ".join(event.types),
            " ".join(event.fields),
            event.purpose or "",
            event.result,
        )
    )


def _lines(rows: Iterable[Iterable[str]]) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue().encode()
