import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from idp.authenticators.breached import BreachedPasswords
from idp.authenticators.passkey import Site
from idp.authenticators.schema import Methods
from idp.citizens.schema import Citizen
from idp.keys.secrets import Secrets
from idp.messages.post import Post
from idp.sessions.schema import Session, SessionLine
from kit.audit import Audit
from kit.db import Database
from kit.i18n import Message
from kit.offload import Offload
from kit.throttle import Throttle

FRESH_S = 300
"""What guards the account itself is changed only in a session that began, or was confirmed, this recently (L-30)."""


def is_fresh(session: Session) -> bool:
    """Recent, and with our own factors: an account elsewhere does not change what guards this one."""
    return session.age_s <= FRESH_S and session.upstream is None


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """The parts that the account's actions share."""

    db: Database
    audit: Audit
    throttle: Throttle
    secrets: Secrets
    passwords: Offload
    post: Post
    one_time_code_lifetime_s: int
    breached: BreachedPasswords = BreachedPasswords()
    site: Site


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    citizen: Citizen
    methods: Methods
    sessions: Sequence[SessionLine]
    recovery: UUID | None
    """A recovery that is under way: the owner can stop it here."""


class HistoryLine(msgspec.Struct, frozen=True, kw_only=True):
    at: dt.datetime
    audit_id: str
    what: Message
    refused: bool
    service: Mapping[str, str] | None
    """The relying party's name by language, where one was concerned."""
    browser: str | None
    claims: Sequence[Message | str] = ()
    """Names of the fields that were given or agreed to, in words."""
    ground: str | None = None
    """The legal ground that they named."""
    by_mandate: bool = False
    detail: Mapping[str, Any]
    reason: str | None = None
    """An officer's own words."""


class Fresh(msgspec.Struct, frozen=True):
    session: Session
    citizen: Citizen
