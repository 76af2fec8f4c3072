"""The judge's verdict, in the few words that an answer has."""

import datetime as dt
from typing import Literal

from locker.signatures.schema import SignatureVerdict, Verdict
from locker.verification.schema import SignatureAnswer

_REASONS_MAX = 10

Judged = Literal["now", "archive"]


def signature_answer(verdict: Verdict, *, judged: Judged = "now") -> SignatureAnswer:
    """Of the signature that decides: the first that did not pass, else the last one made."""
    decisive = deciding(verdict)
    return SignatureAnswer(
        indication=verdict.indication,
        sub_indication=verdict.sub_indication,
        reasons=list(verdict.reasons[:_REASONS_MAX]),
        signer=decisive.signer.display if decisive and decisive.signer else None,
        level=decisive.level if decisive else None,
        signed_at=(decisive.proven_time or decisive.claimed_time) if decisive else None,
        judged=judged,
        policy=f"{verdict.policy}/{verdict.policy_version}",
        trust_version=verdict.trust_version,
    )


def deciding(verdict: Verdict) -> SignatureVerdict | None:
    failed = next((signature for signature in verdict.signatures if not signature.passed), None)
    return failed or (verdict.signatures[-1] if verdict.signatures else None)


def whole(verdict: Verdict) -> bool | None:
    """Whether what was signed is what lies here; None where nothing was signed."""
    if verdict.passed:
        return True
    if not verdict.signatures:
        return None if verdict.indication == "NO_SIGNATURE_FOUND" else False
    if verdict.indication == "TOTAL-FAILED":
        return False
    return all(
        signature.intact and signature.changes in ("none", "archive", "signatures") for signature in verdict.signatures
    )


_SKEW = dt.timedelta(minutes=5)


def existed(verdict: Verdict, at: dt.datetime) -> bool | None:
    """Whether the document was signed by then, by its time stamps, else by what its signers say; None: nobody says.

    A signature that says of itself that it is later than ``at`` was not there, whoever vouches for it.
    """
    if not verdict.signatures:
        return None
    known = [_signed_at(signature) for signature in verdict.signatures]
    if any(moment is not None and moment > at + _SKEW for moment in known):
        return False
    return None if None in known else True


def _signed_at(signature: SignatureVerdict) -> dt.datetime | None:
    """What a stamp says counts also where it does not hold for ``at``, because it comes after it."""
    stamped = [stamp.time for stamp in signature.time_stamps if stamp.time]
    return signature.proven_time or min(stamped, default=signature.claimed_time)
