"""How a document stood at a moment, from the record of acts on it."""

import datetime as dt
from typing import Literal

from locker.documents.schema import Standing

StandingAt = Standing | Literal["unknown", "not-yet"]

ACTS: dict[str, Standing] = {
    "document.deposited": "valid",
    "document.resumed": "valid",
    "document.suspended": "suspended",
    "document.revoked": "revoked",
    "document.superseded": "superseded",
    "document.corrected": "superseded",
}


def standing_at(
    at: dt.datetime, *, deposited_at: dt.datetime, last_act: str | None, valid_until: dt.date | None
) -> StandingAt:
    """``last_act`` is the last one at or before ``at``. ``unknown`` where the record does not reach back so far."""
    if at < deposited_at:
        return "not-yet"
    state = ACTS.get(last_act or "")
    if state is None:
        return "unknown"
    if state == "valid" and valid_until is not None and valid_until < at.astimezone(dt.UTC).date():
        return "expired"
    return state
