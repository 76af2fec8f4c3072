from uuid import UUID

import msgspec


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One client to be told of one session's end."""

    notice_id: UUID
    client_id: str
    citizen_id: UUID
    sid: str
    sub: str
    tries: int
    """This one included."""
    is_last: bool
    """The next try would come too late."""
    is_over: bool
    """This one comes too late already: it was put off until now."""


class Frame(msgspec.Struct, frozen=True):
    """A client's address that the citizen's own browser must load."""

    uri: str
    sid: str
    """As this client knows the session."""
