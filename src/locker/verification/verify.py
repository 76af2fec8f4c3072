"""Judge a file that somebody brings."""

import datetime as dt

import msgspec

from kit.audit import ActorKind, Audit, AuditEvent
from kit.db import Database
from locker.signatures.judge import SignatureJudge
from locker.signatures.policies import VERIFY
from locker.signatures.schema import Verdict
from locker.trust.register import TrustRegister
from locker.verification import store
from locker.verification.judge_signature import signature_answer, whole
from locker.verification.receive import Received
from locker.verification.schema import Answer, Check, IssuedDocument, Judged
from locker.verification.store import Deposited


class Verifier(msgspec.Struct, frozen=True, kw_only=True):
    kind: ActorKind = "anonymous"
    actor: str = ""


async def verify(
    db: Database,
    audit: Audit,
    judge: SignatureJudge,
    trust: TrustRegister,
    received: Received,
    *,
    verifier: Verifier,
    file_max_bytes: int,
) -> Judged:
    """Signature and standing, each for itself. A bad signature is an answer like any other.

    The holder of a deposited document sees that somebody verified it.
    """
    policy = msgspec.structs.replace(VERIFY, size_max_bytes=file_max_bytes)
    verdict = await judge.validate(received.path, trust=await trust.trust(db), policy=policy)
    deposited = await store.deposited(db, sha256=received.sha256)
    certificates = [bytes.fromhex(s.certificate_sha256) for s in verdict.signatures if s.certificate_sha256]
    sealed_by = await store.sealed_by(db, certificates_sha256=certificates) if certificates else None
    answer = Answer(
        signature=signature_answer(verdict),
        standing=deposited.standing if deposited else "unknown",
        document=_issued(deposited),
        signer_administration=sealed_by,
        checks=_checks(verdict, deposited),
        sha256=received.sha256.hex(),
        shared_until=None,
        checked_at=dt.datetime.now(dt.UTC),
    )
    await audit.append(
        db,
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


def _checks(verdict: Verdict, deposited: Deposited | None) -> list[Check]:
    return [
        Check(name="whole", passed=whole(verdict)),
        Check(name="signature", passed=None if verdict.indication == "NO_SIGNATURE_FOUND" else verdict.passed),
        Check(name="entitled", passed=deposited.entitled if deposited else None),
        Check(name="not-revoked", passed=deposited.standing not in ("revoked", "suspended") if deposited else None),
        Check(name="in-dates", passed=_in_dates(deposited) if deposited else None),
    ]


def _in_dates(deposited: Deposited) -> bool:
    starts = deposited.valid_from is None or deposited.valid_from <= deposited.today
    ends = deposited.valid_until is None or deposited.valid_until >= deposited.today
    return starts and ends
