"""What a sign-in elsewhere is worth here."""

from collections.abc import Collection

from idp.citizens.schema import Proofing
from idp.sessions.levels import ACR_VALUES, Acr, at_least
from idp.upstream.schema import Registration, Shown

# RFC 8176 §2, as far as our own amr claim may repeat them; what else a provider says stays there.
_AMR = frozenset({"pwd", "pin", "otp", "sms", "tel", "mfa", "hwk", "swk", "sc", "face", "fpt", "iris", "user"})


def acr_of(registration: Registration, shown: Shown, *, acr_max: Acr, proofing: Proofing) -> Acr:
    """The operator's mapping, and never more than the session that made the link or than the proofing allows.

    An ``acr`` that is not mapped is ``low``, whatever ``amr`` stands beside it.
    """
    if shown.acr is not None:
        mapped = registration.acr.get(shown.acr, "low")
    else:
        mapped = max((registration.amr.get(value, "low") for value in shown.amr), key=ACR_VALUES.index, default="low")
    proofed: Acr = {"none": "low", "remote": "substantial", "desk": "high"}[proofing]  # type: ignore[assignment]
    return min(mapped, acr_max, proofed, key=ACR_VALUES.index)


def amr_of(shown: Shown) -> list[str]:
    return [value for value in dict.fromkeys(shown.amr) if value in _AMR]


def acr_values(registration: Registration, needed: Acr) -> Collection[str]:
    """Their names for what is needed here, the least first (OpenID Connect Core §3.1.2.1)."""
    fitting = [(ACR_VALUES.index(ours), theirs) for theirs, ours in registration.acr.items() if at_least(ours, needed)]
    return [theirs for _, theirs in sorted(fitting)]
