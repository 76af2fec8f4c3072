"""An answer as one sentence and some checks."""

import msgspec

from kit.i18n import Locale, Message, _
from kit.i18n.dates import moment
from locker.documents.schema import name_in
from locker.reports.sub_indications import SUB_INDICATIONS, Explained
from locker.signatures.reasons import REASONS
from locker.verification.schema import Answer, CheckName

_CHECKS: dict[CheckName, Message] = {
    "whole": _("Whole and unaltered since it was signed"),
    "signature": _("Signed by somebody who is trusted here"),
    "existed": _("Signed by the moment that is asked about"),
    "entitled": _("Issued by an administration that may issue this type of document"),
    "not-revoked": _("Not revoked or suspended by its issuer"),
    "in-dates": _("Within its dates of validity"),
    "shared": _("Shared by its holder, and still open"),
}


def check_label(name: CheckName) -> Message:
    return _CHECKS[name]


class AnswerView(msgspec.Struct, frozen=True, kw_only=True):
    sentence: Message
    tone: str
    checks: list[tuple[bool | None, Message]]
    reasons: list[Message]
    meaning: Explained | None
    name: str
    issuer: str
    answer: Answer


def view(answer: Answer, locale: Locale) -> AnswerView:
    said, tone = sentence(answer, locale)
    return AnswerView(
        sentence=said,
        tone=tone,
        checks=[(check.passed, _CHECKS[check.name]) for check in answer.checks],
        reasons=[REASONS[reason] for reason in answer.signature.reasons if reason in REASONS],
        # Of a moment before the signature, what would mend it later says nothing.
        meaning=None
        if answer.passed("existed") is False
        else SUB_INDICATIONS.get(answer.signature.sub_indication or ""),
        name=name_in(answer.document.type_names, locale) if answer.document else "",
        issuer=issuer_of(answer, locale),
        answer=answer,
    )


def issuer_of(answer: Answer, locale: Locale) -> str:
    if answer.document:
        return name_in(answer.document.administration_names, locale)
    return name_in(answer.signer_administration or {}, locale) or answer.signature.signer or ""


def sentence(answer: Answer, locale: Locale) -> tuple[Message, str]:
    """Green only where every answer is yes. The signature speaks first: what is altered has no standing."""
    issuer = issuer_of(answer, locale)
    if answer.signature.indication == "NO_SIGNATURE_FOUND":
        return _("This file carries no signature, so nobody answers for what it says."), "bad"
    if not answer.signature.sound and answer.passed("whole") is False:
        return _("Do not rely on this file: it was altered, or its signature does not hold."), "bad"
    if answer.at is not None and answer.passed("existed") is False:
        day = moment(answer.at, locale)
        return _("This document was signed after %(day)s: it did not exist then.", day=day), "bad"
    if not answer.signature.sound:
        return _("It is not certain who signed this file, so it cannot be called authentic."), "wait"
    if answer.at is not None:
        return _sentence_then(answer, issuer, moment(answer.at, locale))
    if answer.standing == "unknown":
        said = _(
            "Unaltered and signed by %(issuer)s. Its issuer has not deposited it here, "
            "so whether it still stands by it is not known.",
            issuer=issuer,
        )
        return said, "wait"
    if answer.standing == "revoked":
        return _("This document was revoked by %(issuer)s: it is not valid any more.", issuer=issuer), "bad"
    if answer.standing == "suspended":
        return _("This document is suspended by %(issuer)s: do not rely on it for now.", issuer=issuer), "bad"
    if answer.passed("entitled") is False:
        return _("%(issuer)s may not issue this type of document any more: do not rely on it.", issuer=issuer), "bad"
    if answer.standing == "superseded":
        return _("Authentic, but %(issuer)s has replaced it by a newer version.", issuer=issuer), "wait"
    if answer.passed("in-dates") is False:
        return _(
            "Authentic and unaltered, issued by %(issuer)s, but not within its dates today.", issuer=issuer
        ), "wait"
    return _("Authentic and unaltered, issued by %(issuer)s, not revoked, valid today.", issuer=issuer), "good"


def _sentence_then(answer: Answer, issuer: str, day: str) -> tuple[Message, str]:
    """Of a sound signature, and an earlier moment."""
    if answer.standing == "not-yet":
        return _("On %(day)s this document had not been deposited here yet.", day=day), "wait"
    if answer.standing == "revoked":
        return _("On %(day)s this document had been revoked by %(issuer)s already.", day=day, issuer=issuer), "bad"
    if answer.standing == "suspended":
        return _("On %(day)s this document was suspended by %(issuer)s.", day=day, issuer=issuer), "bad"
    if answer.standing == "superseded":
        said = _("Authentic, but on %(day)s %(issuer)s had replaced it by a newer version.", day=day, issuer=issuer)
        return said, "wait"
    if answer.standing == "unknown":
        said = _(
            "Unaltered and signed by %(issuer)s. How its issuer stood by it on %(day)s is not known here.",
            day=day,
            issuer=issuer,
        )
        return said, "wait"
    if answer.passed("in-dates") is False:
        said = _(
            "Authentic and unaltered, issued by %(issuer)s, but on %(day)s not within its dates.",
            day=day,
            issuer=issuer,
        )
        return said, "wait"
    said = _(
        "On %(day)s this document was authentic and unaltered, issued by %(issuer)s, not revoked and valid.",
        day=day,
        issuer=issuer,
    )
    return said, "good"
