"""What still stands between a request and its answer: the interaction policy, as a list of named checks."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from idp.authorization.schema import ACR_RANK, AuthorizationRequest
from idp.consents.schema import Consent
from idp.sessions.schema import Session

Next = Literal["login", "device", "ciba", "act-for", "consent"]


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    request: AuthorizationRequest
    session: Session | None
    sub: str | None
    """Whom the tokens would be about: the session's citizen, or whom they act for, as this client knows them."""
    consent: Consent | None
    begun_at: datetime | None
    """When this interaction began; None while there is none. What happened since then answers a prompt."""
    confirmed_at: datetime | None
    """When the citizen said that what waits is in front of them."""
    now: datetime
    others: tuple[str, ...] = ()
    """``sub`` of each person for whom the session's citizen may act here."""
    whom_is_said: bool = False
    """In this interaction, by this person, and still possible."""


def nobody_is_signed_in(at: Situation) -> bool:
    return at.session is None


def a_fresh_login_was_asked_for(at: Situation) -> bool:
    assert at.session is not None
    asked = bool({"login", "select_account"} & set(at.request.prompt))
    return asked and not _since_begun(at, at.session.auth_time)


def the_login_is_too_old(at: Situation) -> bool:
    assert at.session is not None
    if at.request.max_age is None or _since_begun(at, at.session.auth_time):
        return False
    return at.now - at.session.auth_time > timedelta(seconds=at.request.max_age) or at.request.max_age == 0


def the_level_is_too_low(at: Situation) -> bool:
    assert at.session is not None
    return ACR_RANK[at.session.acr] < ACR_RANK[at.request.acr_needed]


def somebody_else_is_signed_in(at: Situation) -> bool:
    wanted = at.request.hinted_subs
    # The one who is asked for may be somebody for whom this person acts: that page comes next.
    reachable = (at.sub,) if at.whom_is_said else (at.sub, *at.others)
    return bool(wanted) and not any(sub in wanted for sub in reachable)


def the_device_is_not_confirmed(at: Situation) -> bool:
    """RFC 8628 §5.4: a code that somebody sent would open the sender's device."""
    return at.request.kind == "device_code" and at.confirmed_at is None


def the_service_is_not_confirmed(at: Situation) -> bool:
    return at.request.kind == "ciba" and at.confirmed_at is None


def it_is_not_said_for_whom(at: Situation) -> bool:
    """Never silently for somebody else; a hint that names the person themselves is an answer."""
    return bool(at.others) and not at.whom_is_said and at.sub not in at.request.hinted_subs


def more_is_asked_than_was_given(at: Situation) -> bool:
    if at.consent is None:
        return True
    return not (frozenset(at.request.scopes) <= at.consent.scopes and _essential(at.request) <= at.consent.claims)


def details_are_not_given(at: Situation) -> bool:
    """What is for once is asked for each time; what is until a day is remembered until then (RFC 9396)."""
    assert at.consent is not None
    given, just_now = at.consent.authorization_details, _since_begun(at, at.consent.given_at)
    return not all(
        detail in given and (just_now if detail.until is None else detail.until >= at.now.date())
        for detail in at.request.authorization_details
    )


def consent_was_asked_for(at: Situation) -> bool:
    assert at.consent is not None
    return "consent" in at.request.prompt and not _since_begun(at, at.consent.given_at)


def a_strict_client_was_signed_in_to(at: Situation) -> bool:
    """Of the profiles of FAPI: who types a password also sees for whom and for what, and can still say no."""
    assert at.session is not None
    assert at.consent is not None
    signed_in = at.request.confirmed_each_sign_in and _since_begun(at, at.session.auth_time)
    return signed_in and not _since_begun(at, at.consent.given_at)


PROMPTS: tuple[tuple[Next, Callable[[Situation], bool]], ...] = (
    ("login", nobody_is_signed_in),
    ("login", a_fresh_login_was_asked_for),
    ("login", the_login_is_too_old),
    ("login", the_level_is_too_low),
    ("login", somebody_else_is_signed_in),
    ("device", the_device_is_not_confirmed),
    ("ciba", the_service_is_not_confirmed),
    ("act-for", it_is_not_said_for_whom),
    ("consent", more_is_asked_than_was_given),
    ("consent", details_are_not_given),
    ("consent", consent_was_asked_for),
    ("consent", a_strict_client_was_signed_in_to),
)


def next_prompt(at: Situation) -> Next | None:
    """The first page that is still needed, or None when the code can be given."""
    return next((page for page, needed in PROMPTS if needed(at)), None)


def _essential(request: AuthorizationRequest) -> frozenset[str]:
    """Claims asked for one by one that are the citizen's data; ``acr`` and ``auth_time`` are about the sign-in."""
    asked = {**request.claims.userinfo, **request.claims.id_token}
    return frozenset(name for name, wanted in asked.items() if wanted is not None and wanted.essential) - {
        "acr",
        "auth_time",
        "sub",
    }


def _since_begun(at: Situation, moment: datetime) -> bool:
    return at.begun_at is not None and moment >= at.begun_at
