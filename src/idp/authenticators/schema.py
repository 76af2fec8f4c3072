from typing import Literal

import msgspec

Channel = Literal["sms", "email"]
Purpose = Literal["sign-in", "activation", "second-factor", "contact"]
Method = Literal["totp", "code"]


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
    totp_last_used: bool = False
    """The last second factor was the TOTP."""

    @property
    def second(self) -> tuple[Method, ...]:
        """Usable second factors, the one used last first."""
        found: list[Method] = []
        if self.totp:
            found.append("totp")
        if self.code is not None:
            found.append("code")
        if len(found) == 2 and not self.totp_last_used:
            found.reverse()
        return tuple(found)
