"""What needs more than a session or a token: a proof of who it is from a moment ago."""

import time

from locker.access.bearer import CitizenCaller
from locker.access.refusals import ActingForAnother, SignInAgain, SignInTooOld
from locker.access.schema import Citizen

FRESH_S = 300
_SKEW_S = 30


def just_signed_in(citizen: Citizen) -> bool:
    return citizen.signed_in_s is not None and -_SKEW_S <= citizen.signed_in_s <= FRESH_S


def need_fresh_session(citizen: Citizen, *, return_to: str) -> None:
    """Raises SignInAgain, which leads to the provider and back to ``return_to``, a page of ours."""
    if not just_signed_in(citizen):
        raise SignInAgain(return_to)


def need_own_token(caller: CitizenCaller) -> None:
    """For what outlives the mandate of whoever acts for the citizen. Raises ActingForAnother."""
    if caller.is_acting:
        raise ActingForAnother


def need_fresh_token(caller: CitizenCaller) -> None:
    """By the token's ``auth_time`` (RFC 9470 §6.1). Raises SignInTooOld."""
    if caller.auth_time is None or not -_SKEW_S <= time.time() - caller.auth_time <= FRESH_S:
        raise SignInTooOld(max_age_s=FRESH_S)
