import datetime as dt
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec

from idp.authenticators.schema import Channel, Destination, Methods
from idp.citizens.schema import LocaleName
from idp.keys.secrets import Secrets
from idp.messages.post import Post
from kit.audit import Audit
from kit.db import Database
from kit.throttle import Throttle

LINK_LIFETIME_S = 600
OPEN_S = 900
"""How long an opened link keeps the steps open in its browser."""
WAIT_OPEN_S = 7 * 86_400
"""How long a recovery whose waiting time is over may be used."""
TRIES_MAX = 5


class Recovery(msgspec.Struct, frozen=True, kw_only=True):
    """The parts that the steps share."""

    db: Database
    audit: Audit
    throttle: Throttle
    secrets: Secrets
    post: Post
    issuer: str
    """Links lead there, never where a request's Host says (L-21)."""
    one_time_code_lifetime_s: int
    wait_s: int


class Asker(msgspec.Struct, frozen=True, kw_only=True):
    citizen_id: UUID
    uid: str
    claims: Mapping[str, Any]
    locale: LocaleName
    methods: Methods

    @property
    def confirmed(self) -> tuple[Destination, ...]:
        """Where a link may go: what the citizen proved to hold, and a number only if it was used within the year."""
        found: dict[Channel, str] = {}
        code = self.methods.code
        stale = code.address if code is not None and self.methods.code_is_stale else None
        if code is not None and stale is None:
            found[code.channel] = code.address
        pairs: tuple[tuple[Channel, str], ...] = (("sms", "phone_number"), ("email", "email"))
        for channel, name in pairs:
            address = self.claims.get(name)
            if isinstance(address, str) and self.claims.get(f"{name}_verified") is True and address != stale:
                found.setdefault(channel, address)
        return tuple(Destination(channel, address) for channel, address in found.items())


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """A link that was opened in this browser."""

    who: Asker
    channel: Channel
    binding: str
    """What a code by message is bound to: it is good for this recovery only."""
    proven: bool
    secret_sealed: bytes | None
    now_s: float

    @property
    def code_to(self) -> Destination | None:
        """Where a second proof may go: never to where the link went, since that would be one proof twice."""
        code = self.who.methods.code
        if code is None or "code" not in self.who.methods.lasting or code.channel == self.channel:
            return None
        return code

    @property
    def may_wait(self) -> bool:
        """A number may be somebody else's by now, so a link by text message alone never opens anything."""
        return self.channel == "email"


class Waiting(msgspec.Struct, frozen=True):
    recovery_id: UUID
    ready_at: dt.datetime
    ready: bool
