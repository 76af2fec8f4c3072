"""Levels of authentication and how they come about."""

from collections.abc import Collection
from typing import Literal

Acr = Literal["low", "substantial", "high"]
_AMR_ORDER = ("pwd", "sms", "otp", "pop", "user", "mfa")
ACR_VALUES: tuple[Acr, ...] = ("low", "substantial", "high")


def at_least(acr: Acr, needed: Acr) -> bool:
    return ACR_VALUES.index(acr) >= ACR_VALUES.index(needed)


def acr_of(amr: Collection[str], *, proofing: str) -> Acr:
    """Level of the authenticators, and never more than how well the person was known at enrolment.

    ``high`` is a passkey (``pop``: a key that no other site can ask for) of somebody who was seen at a desk.
    """
    if "mfa" not in amr or proofing == "none":
        return "low"
    return "high" if "pop" in amr and proofing == "desk" else "substantial"


def without_passkey(needed: Acr) -> Acr:
    """What of a level can be had before there is a passkey."""
    return "substantial" if needed == "high" else needed


def in_order(amr: Collection[str]) -> list[str]:
    """What was proven, each once, in the order in which it is always said."""
    return sorted(set(amr), key=_AMR_ORDER.index)
