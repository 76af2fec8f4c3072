"""From reasons back to checks: what failed, what was passed on the way, and what was never looked at."""

from collections.abc import Iterable

from kit.i18n import Message
from locker.reports.checks import CHECK_OF, CHECKS, OF_DOCUMENT, OF_SIGNATURE, OF_TIME_STAMP, WHY, Check
from locker.reports.make_simple import policy_used, signature_id
from locker.reports.say import Translators, in_each, say
from locker.reports.schema import (
    CheckedSignature,
    CheckedTimeStamp,
    CheckName,
    CheckResult,
    DetailedReport,
    Said,
    Status,
    Why,
)
from locker.signatures.policies import VERIFY
from locker.signatures.reasons import REASONS
from locker.signatures.schema import SignatureVerdict, TimeStampVerdict, Verdict
from locker.verification.schema import Answer
from locker.verification.views import sentence

_NO_STATUS = "no-revocation-status"


def make_detailed(answer: Answer, verdict: Verdict, translators: Translators) -> DetailedReport:
    document = document_checks(verdict)
    signatures = [
        CheckedSignature(
            id=signature_id(number),
            field_name=signature.field_name,
            indication=signature.indication,
            sub_indication=signature.sub_indication,
            checks=signature_checks(signature, verdict),
            time_stamps=[_checked(stamp) for stamp in signature.time_stamps],
        )
        for number, signature in enumerate(verdict.signatures, 1)
    ]
    time_stamps = [_checked(stamp) for stamp in verdict.time_stamps]
    every = [
        *document,
        *(result for signature in signatures for result in signature.checks),
        *(result for signature in signatures for stamp in signature.time_stamps for result in stamp.checks),
        *(result for stamp in time_stamps for result in stamp.checks),
    ]
    return DetailedReport(
        report="detailed",
        version="1",
        sentence=in_each(translators, lambda locale: sentence(answer, locale)[0]),
        indication=verdict.indication,
        sub_indication=verdict.sub_indication,
        policy=policy_used(verdict),
        judged_for=verdict.judged_for,
        checked_at=answer.checked_at,
        sha256=verdict.sha256,
        document=document,
        signatures=signatures,
        time_stamps=time_stamps,
        texts=_texts(every, translators),
    )


def document_checks(verdict: Verdict) -> list[CheckResult]:
    """Of the file itself. After one that failed and left no signature to look at, the next were not reached.

    What speaks against the whole and against no signature stands in its check here, too.
    """
    results: list[CheckResult] = []
    stopped = False
    for check in OF_DOCUMENT:
        reasons = [code for code in verdict.reasons if code in check.reasons]
        remarks = [code for code in verdict.warnings if code in check.reasons and code not in reasons]
        results.append(_result(check, reasons, remarks, why="not-reached" if stopped else None))
        stopped = stopped or (bool(reasons) and verdict.pages is None)
    of_signatures = {code for signature in verdict.signatures for code in signature.reasons}
    alone = [code for code in verdict.reasons if code not in of_signatures]
    for check in OF_SIGNATURE:
        reasons = [code for code in alone if code in check.reasons]
        if reasons:
            results.append(_result(check, reasons, [], why=None))
    return results


def signature_checks(signature: SignatureVerdict, verdict: Verdict) -> list[CheckResult]:
    failing = {CHECK_OF.get(code) for code in signature.reasons}
    results = []
    for check in OF_SIGNATURE:
        reasons = [code for code in signature.reasons if code in check.reasons]
        remarks = [code for code in signature.remarks if code in check.reasons]
        if check.name == "time-stamps":
            reasons = _against_time_stamps(signature, verdict)
        status, why = _judged(check.name, signature, verdict, failing)
        if reasons:
            results.append(_result(check, reasons, remarks, why=None))
        else:
            results.append(_result(check, [], remarks, why=why, failed=status == "failed"))
    return results


def _judged(
    name: CheckName, signature: SignatureVerdict, verdict: Verdict, failing: set[CheckName | None]
) -> tuple[Status, Why | None]:
    """Of a check that no reason speaks against."""
    if _not_reached(name, signature, failing):
        return "ignored", "not-reached"
    match name:
        case "revocation" | "revocation-freshness" if signature.revocation is None:
            return "ignored", "not-asked"
        case "revocation-freshness" if _NO_STATUS in signature.remarks:
            return "ignored", "not-asked"
        case "signature-acceptance" if verdict.policy == VERIFY.name:
            return "ignored", "not-asked"
        case "time-stamps" if not signature.time_stamps and signature.proven_time is None:
            return "ignored", "nothing-there"
        case "long-term":
            return _long_term(signature, verdict)
    return "passed", None


def _not_reached(name: CheckName, signature: SignatureVerdict, failing: set[CheckName | None]) -> bool:
    if "signature-unreadable" in signature.reasons:
        return name != "format"
    chained = signature.signer is not None and "certificate-chain" not in failing
    match name:
        case "cryptographic-verification" | "time-stamps" | "long-term":
            return not signature.intact
        case "changes":
            return signature.changes is None
        case "certificate-chain" | "cryptographic-constraints":
            return signature.signer is None
        case "past-certificate-validation":
            return not chained
        case "revocation":
            stopped = {"past-certificate-validation"} & failing or "chain-algorithm" in signature.reasons
            return not chained or bool(stopped)
        case "revocation-freshness":
            stopped = {"past-certificate-validation", "revocation"} & failing or "chain-algorithm" in signature.reasons
            return not chained or bool(stopped)
    return False


def _long_term(signature: SignatureVerdict, verdict: Verdict) -> tuple[Status, Why | None]:
    if not signature.level.endswith(("-LT", "-LTA")):
        return "ignored", "nothing-there"
    archived = signature.level.endswith("LTA")
    proven = any(stamp.passed for stamp in verdict.time_stamps) if archived else signature.proven_time is not None
    return ("passed", None) if proven else ("failed", "not-proven")


def _against_time_stamps(signature: SignatureVerdict, verdict: Verdict) -> list[str]:
    """What speaks against its own time stamps; one that holds makes up for others that do not."""
    stamps = signature.time_stamps
    if not signature.intact or not stamps or any(stamp.passed for stamp in stamps):
        return []
    return list(dict.fromkeys(code for stamp in stamps for code in stamp.reasons))


def _checked(stamp: TimeStampVerdict) -> CheckedTimeStamp:
    failing = next((CHECK_OF.get(code) for code in stamp.reasons), None)
    results = []
    # A reason that is none of these checks' says that none of them can be called passed.
    reached = stamp.passed or failing in OF_TIME_STAMP
    for name in OF_TIME_STAMP:
        if name in ("coverage", "changes") and stamp.kind == "signature":
            continue
        fails = name == failing
        results.append(
            _result(CHECKS[name], list(stamp.reasons) if fails else [], [], why=None if reached else "not-reached")
        )
        reached = reached and not fails
    return CheckedTimeStamp(kind=stamp.kind, time=stamp.time, passed=stamp.passed, checks=results)


def _result(
    check: Check, reasons: list[str], remarks: list[str], *, why: Why | None, failed: bool = False
) -> CheckResult:
    status: Status = "failed" if reasons or failed else "ignored" if why else "passed"
    return CheckResult(
        name=check.name,
        clause=check.clause,
        status=status,
        reasons=reasons,
        remarks=remarks,
        why=why if not reasons else None,
    )


def _texts(results: Iterable[CheckResult], translators: Translators) -> dict[str, Said]:
    messages: dict[str, Message] = {}
    for result in results:
        messages[result.name] = CHECKS[result.name].title
        messages.update({code: REASONS.get(code, Message(code)) for code in (*result.reasons, *result.remarks)})
        if result.why:
            messages[result.why] = WHY[result.why]
    return {name: say(translators, message) for name, message in sorted(messages.items())}
