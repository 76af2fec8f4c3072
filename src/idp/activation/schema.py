from typing import Literal

import msgspec

from idp.authenticators.breached import BreachedPasswords
from idp.authenticators.schema import Destination
from idp.citizens.schema import Citizen
from idp.keys.secrets import Secrets
from idp.messages.post import Post
from kit.audit import Audit
from kit.db import Database
from kit.offload import Offload
from kit.throttle import Throttle

Kind = Literal["desk", "recovery"]
"""By a code from an officer, or after the waiting time of a recovery."""
OPEN_S = 1_800
"""How long an entered code keeps the steps open in that browser."""


class Activation(msgspec.Struct, frozen=True, kw_only=True):
    """The parts that the steps share."""

    db: Database
    audit: Audit
    throttle: Throttle
    secrets: Secrets
    passwords: Offload
    post: Post
    one_time_code_lifetime_s: int
    breached: BreachedPasswords = BreachedPasswords()


class Opened(msgspec.Struct, frozen=True):
    """An activation under way in this browser."""

    citizen: Citizen
    has_password: bool
    kind: Kind

    @property
    def destinations(self) -> tuple[Destination, ...]:
        """Where a code could be sent: the contact points recorded at enrolment."""
        found = []
        pairs: tuple[tuple[Literal["sms", "email"], str], ...] = (("sms", "phone_number"), ("email", "email"))
        for channel, name in pairs:
            address = self.citizen.claims.get(name)
            if isinstance(address, str):
                found.append(Destination(channel, address))
        return tuple(found)
