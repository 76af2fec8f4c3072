"""Levels of authentication and how they come about."""

from collections.abc import Collection
from typing import Literal

Acr = Literal["low", "substantial", "high"]
ACR_VALUES: tuple[Acr, ...] = ("low", "substantial", "high")
REACHABLE: Acr = "substantial"
"""The highest that a sign-in here can reach today: ``high`` needs a passkey."""


def at_least(acr: Acr, needed: Acr) -> bool:
    return ACR_VALUES.index(acr) >= ACR_VALUES.index(needed)


def acr_of(amr: Collection[str], *, proofing: str) -> Acr:
    """Level of the authenticators, and never more than how well the person was known at enrolment."""
    return "substantial" if "mfa" in amr and proofing != "none" else "low"
