from datetime import datetime
from typing import Any

from kit.errors import Invalid, Refusal, Unavailable


class AddressUnfit(Invalid):
    code, title = "address-unfit", "This is not an address under a domain that is registered for you."


class NothingThere(Invalid):
    """At deposit: the address does not give the document. ``detail`` says what it does instead."""

    code, title = "reference-unreachable", "The document could not be fetched from its address."


class IssuerAway(Unavailable):
    """``standing`` is the last known one, ``confirmed_at`` when the issuer last served the document as deposited."""

    code, title = "issuer-away", "The administration that keeps this document cannot be reached now. Try again later."

    def __init__(self, *, confirmed_at: datetime, standing: str) -> None:
        super().__init__(retry_after_s=30)
        self.members: dict[str, Any] = {"confirmed_at": confirmed_at.isoformat(), "standing": standing}


class NotAsDeposited(Refusal):
    """Other bytes, or a seal that does not hold any more. Nothing of them leaves."""

    code, status = "not-as-deposited", 502
    title = (
        "What the administration keeps is not what it deposited, or its seal does not hold any more: it is not shown."
    )


class NotJudgedNow(Unavailable):
    """The right bytes, and whether their seal still holds cannot be said: revocation data is missing or too old."""

    code, title = "not-judged-now", "Whether the seal of this document still holds cannot be said now. Try again later."

    def __init__(self) -> None:
        super().__init__(retry_after_s=60)
