import datetime as dt
from typing import Any, Literal

import msgspec

from kit.audit import ActorKind

Filter = Literal["all", "others", "documents", "shares", "sessions"]
"""``others``: what somebody else did. ``documents``, ``shares``, ``sessions``: by what it was done to."""


class HistoryEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the log as its owner may see it."""

    audit_id: str
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
