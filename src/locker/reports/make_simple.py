from locker.reports.say import Translators, in_each, say_meaning, say_reason
from locker.reports.schema import PolicyUsed, ReportedSignature, ReportedTimeStamp, SimpleReport
from locker.signatures.schema import SignatureVerdict, TimeStampVerdict, Verdict
from locker.verification.schema import Answer
from locker.verification.views import sentence


def make_simple(answer: Answer, verdict: Verdict, translators: Translators) -> SimpleReport:
    return SimpleReport(
        report="simple",
        version="1",
        sentence=in_each(translators, lambda locale: sentence(answer, locale)[0]),
        indication=verdict.indication,
        sub_indication=verdict.sub_indication,
        meaning=say_meaning(translators, verdict.sub_indication),
        reasons=[say_reason(translators, code) for code in verdict.reasons],
        warnings=list(verdict.warnings),
        policy=policy_used(verdict),
        judged_for=verdict.judged_for,
        checked_at=answer.checked_at,
        standing=answer.standing,
        sha256=verdict.sha256,
        size_bytes=verdict.size_bytes,
        pages=verdict.pages,
        revisions=verdict.revisions,
        signatures=[_signature(number, signature) for number, signature in enumerate(verdict.signatures, 1)],
        time_stamps=[_time_stamp(stamp) for stamp in verdict.time_stamps],
    )


def policy_used(verdict: Verdict) -> PolicyUsed:
    return PolicyUsed(name=verdict.policy, version=verdict.policy_version, trust_version=verdict.trust_version)


def signature_id(number: int) -> str:
    return f"S-{number}"


def _signature(number: int, signature: SignatureVerdict) -> ReportedSignature:
    return ReportedSignature(
        id=signature_id(number),
        field_name=signature.field_name,
        indication=signature.indication,
        sub_indication=signature.sub_indication,
        reasons=list(signature.reasons),
        remarks=list(signature.remarks),
        level=signature.level,
        signer=signature.signer.display if signature.signer else None,
        issuer=signature.issuer.display if signature.issuer else None,
        certificate_sha256=signature.certificate_sha256,
        claimed_time=signature.claimed_time,
        proven_time=signature.proven_time,
        covers_whole_file=signature.covers_whole_file,
        changes=signature.changes,
        digest_algorithm=signature.digest_algorithm,
        signature_algorithm=signature.signature_algorithm,
        key_bits=signature.key_bits,
        revocation=signature.revocation,
        time_stamps=[_time_stamp(stamp) for stamp in signature.time_stamps],
    )


def _time_stamp(stamp: TimeStampVerdict) -> ReportedTimeStamp:
    return ReportedTimeStamp(
        kind=stamp.kind,
        time=stamp.time,
        passed=stamp.passed,
        authority=stamp.authority.display if stamp.authority else None,
        sub_indication=stamp.sub_indication,
        reasons=list(stamp.reasons),
    )
