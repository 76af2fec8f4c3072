"""Judge a file that somebody brings."""

import datetime as dt

import msgspec

from kit.audit import ActorKind, AuditEvent
from locker.signatures.policies import VERIFY
from locker.signatures.schema import Verdict
from locker.verification.desk import VerificationDesk
from locker.verification.judge_signature import deciding, existed, signature_answer, whole
from locker.verification.receive import Received
from locker.verification.schema import Answer, Check, Deposited, IssuedDocument, Judged


class Verifier(msgspec.Struct, frozen=True, kw_only=True):
    kind: ActorKind = "anonymous"
    actor: str = ""


async def verify(
    desk: VerificationDesk, received: Received, *, verifier: Verifier, at: dt.datetime | None = None
) -> Judged:
    """Signature and standing, each for itself. A bad signature is an answer like any other.

    ``at`` asks about an earlier moment: the signature as it was worth then, by what is known of it since, and the
    document as its issuer stood by it then. The holder of a deposited document sees that somebody verified it.
    """
    now = desk.clock()
    policy = msgspec.structs.replace(VERIFY, size_max_bytes=desk.file_max_bytes)
    verdict = await desk.judge.validate_any(
        received.path,
        received.signature,
        trust=await desk.register.trust(),
        policy=policy,
        at=at or now,
        known_until=now if at else None,
        sha256=received.sha256,
    )
    deposited = await desk.register.deposited(sha256=received.sha256, at=at)
    # Of a signature that somebody brings beside the document the copy knows nothing.
    by_archive = None if received.signature else await _by_archive(desk, verdict, deposited, at=at, now=now)
    verdict = by_archive or verdict
    shown = deciding(verdict)
    # A certificate alone says nothing: anyone can put it beside a signature that does not hold.
    holds = shown is not None and shown.passed and shown.certificate_sha256
    sealed_by = await desk.register.sealed_by(certificate_sha256=bytes.fromhex(holds)) if holds else None
    answer = Answer(
        signature=signature_answer(verdict, judged="archive" if by_archive else "now"),
        standing=deposited.standing if deposited else "unknown",
        document=_issued(deposited),
        signer_administration=sealed_by,
        checks=_checks(verdict, deposited, at),
        sha256=received.sha256.hex(),
        shared_until=None,
        checked_at=now,
        at=at,
    )
    await desk.register.append(
        AuditEvent(
            action="document.verified",
            actor_kind=verifier.kind,
            actor=verifier.actor,
            owner=deposited.owner if deposited else None,
            object_id=deposited.document_id if deposited else None,
            detail={
                "indication": verdict.indication,
                "standing": answer.standing,
                **({"type": deposited.type, "administration": deposited.administration} if deposited else {}),
            },
        ),
    )
    return Judged(answer=answer, report=verdict)


async def _by_archive(
    desk: VerificationDesk, verdict: Verdict, deposited: Deposited | None, *, at: dt.datetime | None, now: dt.datetime
) -> Verdict | None:
    """What the archived copy proves, where the brought file cannot prove it any more: years later, its certificates
    are gone. Said of the file that was brought, because the copy begins with those bytes."""
    # Of data that came with the document the copy knows nothing.
    if (
        deposited is None
        or deposited.as_data
        or verdict.indication != "INDETERMINATE"
        or deposited.standing == "not-yet"
    ):
        return None
    kept = await desk.register.archived(deposited.document_id, at=at, now=now)
    if kept is None:
        return None
    return msgspec.structs.replace(
        kept, sha256=verdict.sha256, size_bytes=verdict.size_bytes, judged_for=verdict.judged_for
    )


def _issued(deposited: Deposited | None) -> IssuedDocument | None:
    if deposited is None:
        return None
    return IssuedDocument(
        uri=deposited.uri,
        type=deposited.type,
        type_names=deposited.type_names,
        administration=deposited.administration,
        administration_names=deposited.administration_names,
        valid_from=deposited.valid_from,
        valid_until=deposited.valid_until,
    )


def _checks(verdict: Verdict, deposited: Deposited | None, at: dt.datetime | None) -> list[Check]:
    known = deposited if deposited and deposited.standing not in ("not-yet", "unknown") else None
    return [
        Check(name="whole", passed=whole(verdict)),
        Check(name="signature", passed=None if verdict.indication == "NO_SIGNATURE_FOUND" else verdict.passed),
        *([Check(name="existed", passed=existed(verdict, at))] if at else []),
        Check(name="entitled", passed=known.entitled if known else None),
        Check(name="not-revoked", passed=known.standing not in ("revoked", "suspended") if known else None),
        Check(name="in-dates", passed=_in_dates(known) if known else None),
    ]


def _in_dates(deposited: Deposited) -> bool:
    starts = deposited.valid_from is None or deposited.valid_from <= deposited.today
    ends = deposited.valid_until is None or deposited.valid_until >= deposited.today
    return starts and ends
