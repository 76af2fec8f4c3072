import datetime as dt
from collections.abc import Sequence
from uuid import UUID

import msgspec

from idp.citizens.schema import LocaleName, State
from idp.sessions.levels import Acr


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A session that is alive, of a citizen who is active."""

    session_sha256: bytes
    sid: str
    citizen_id: UUID
    uid: str
    state: State
    locale: LocaleName
    auth_time: dt.datetime
    age_s: int
    """Seconds since ``auth_time``, by the database's clock."""
    acr: Acr
    amr: tuple[str, ...]
    upstream: str | None = None
    """The other provider at which this citizen signed in; None: with our own factors."""


class SessionLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the list that a citizen sees."""

    sid: str
    browser_label: str
    created_at: dt.datetime
    seen_at: dt.datetime
    acr: Acr
    amr: Sequence[str]
