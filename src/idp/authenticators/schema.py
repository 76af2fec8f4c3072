import datetime as dt
from typing import Literal
from uuid import UUID

import msgspec

Channel = Literal["sms", "email"]
Purpose = Literal["sign-in", "activation", "second-factor", "contact", "recovery"]
Method = Literal["totp", "code", "passkey", "recovery"]
METHODS: tuple[Method, ...] = ("totp", "code", "passkey", "recovery")


class Destination(msgspec.Struct, frozen=True):
    """Where a one-time code goes."""

    channel: Channel
    address: str

    @property
    def masked(self) -> str:
        """Enough for the owner to know it by: ``··· 56 78``, ``a···@example.ma``."""
        if self.channel == "sms":
            return f"··· {self.address[-4:-2]} {self.address[-2:]}"
        name, _, host = self.address.partition("@")
        return f"{name[:1]}···@{host}"


class Methods(msgspec.Struct, frozen=True, kw_only=True):
    """What a citizen has set up."""

    password: bool
    totp: bool
    code: Destination | None
    code_is_stale: bool = False
    """A number that was not used for a year may be somebody else's by now: it proves nothing until it is confirmed."""
    passkeys: int = 0
    recovery_codes: int = 0
    """How many are left."""
    frozen: frozenset[str] = frozenset()
    """Names of authenticators that the citizen holds still: they are set up, and prove nothing."""
    used: tuple[Method, ...] = ()
    """Of totp, code and passkey those that are there, the one used last first."""

    @property
    def lasting(self) -> tuple[Method, ...]:
        """Usable second factors that do not wear out, the one used last first."""
        there = {
            "totp": self.totp,
            "code": self.code is not None and not self.code_is_stale,
            "passkey": self.passkeys > 0,
        }
        return tuple(method for method in self.used if there[method] and method not in self.frozen)

    @property
    def second(self) -> tuple[Method, ...]:
        """Usable second factors; a recovery code is never the first choice."""
        return (*self.lasting, "recovery") if self.recovery_codes and "recovery" not in self.frozen else self.lasting


class PasskeyLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the list that a citizen sees."""

    passkey_id: UUID
    name: str
    backed_up: bool
    created_at: dt.datetime
    last_used_at: dt.datetime | None
