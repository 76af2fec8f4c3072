import datetime as dt
from typing import Any, Literal

import msgspec

from kit.audit import ActorKind

Filter = Literal["all", "others", "documents", "shares", "sessions"]
"""``others``: what somebody else did. ``documents``, ``shares``, ``sessions``: by what it was done to."""


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """Which lines. What is None chooses nothing."""

    of: Filter = "all"
    action: str | None = None
    by: ActorKind | None = None
    """What kind of actor: ``citizen`` is the owner, ``anonymous`` the holder of a link."""
    actor: str | None = None
    """Identifier of who did it, or of the administration for which it spoke."""
    document: str | None = None
    """Acts on this document, or on a share that held it."""
    since: dt.date | None = None
    until: dt.date | None = None
    """Its last day (UTC)."""

    @property
    def name(self) -> str:
        """Names the list, so that a cursor of one is of no use in another."""
        return f"history-{msgspec.json.encode(self).decode()}"


class HistoryEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the log as its owner may see it."""

    audit_id: str
    number: int | None
    """1, 2, 3, … of this citizen's lines, in the order in which they came into the log; none may be missing. None: the
    line waits for its place, a second or two."""
    at: dt.datetime
    action: str
    actor_kind: ActorKind
    actor: str
    """Identifier of who did it."""
    actor_names: dict[str, str] | None
    """The administration for which a client spoke."""
    recipient: str | None
    """To whom the citizen gave the link, in the citizen's own words."""
    object_id: str | None
    purpose: str | None
    result: str
    types: dict[str, dict[str, str]]
    """Document types by their code, with names."""
    fields: list[str]


class HistoryPage(msgspec.Struct, frozen=True, kw_only=True):
    events: list[HistoryEvent]
    next: str | None


class LoggedRow(msgspec.Struct, frozen=True, kw_only=True):
    audit_id: str
    number: int | None
    at: dt.datetime
    action: str
    actor_kind: ActorKind
    actor: str
    actor_names: dict[str, str] | None
    recipient: str | None
    object_id: str | None
    purpose: str | None
    result: str
    detail: dict[str, Any]

    @property
    def types(self) -> list[str]:
        listed = self.detail.get("types")
        if isinstance(listed, list):
            return [code for code in listed if isinstance(code, str)]
        code = self.detail.get("type")
        return [code] if isinstance(code, str) else []

    @property
    def fields(self) -> list[str]:
        listed = self.detail.get("fields")
        return [field for field in listed if isinstance(field, str)] if isinstance(listed, list) else []


class SignedLine(msgspec.Struct, frozen=True, kw_only=True):
    event: HistoryEvent
    proof: str | None
    """A ``.tlog-proof``; None while the line waits for its place in the log."""


class SignedEnd(msgspec.Struct, frozen=True, kw_only=True):
    signature: str
