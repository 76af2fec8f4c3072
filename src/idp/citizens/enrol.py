"""A registration officer enrols one citizen. A bulk file is this, once a line."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
from msgspec import UNSET

from idp.activation import issue
from idp.citizens import store
from idp.citizens.claims import IN_VERIFIED_CLAIMS
from idp.citizens.refusals import AlreadyEnrolled, NotEnrollable, ReferenceInUse
from idp.citizens.schema import Enrolled, EnrolledVerification, Enrolment
from idp.citizens.sealed import BlindIndex, Sealer
from idp.citizens.unique_identifier import new_uid
from idp.keys.secrets import Secrets
from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx
from kit.i18n import strip_controls
from kit.ids import new_id

_UID_TRIES = 20
TRUST_FRAMEWORKS = ("national_registration",)
"""As settings name them by default."""


async def enrol(
    db: Database,
    audit: Audit,
    secrets: Secrets,
    enrolment: Enrolment,
    *,
    officer: str,
    code_lifetime_s: int,
    trust_frameworks: Sequence[str] = TRUST_FRAMEWORKS,
) -> Enrolled:
    """Raises AlreadyEnrolled for a known identity card, ReferenceInUse, NotEnrollable."""
    claims = recorded(enrolment)
    for verification in enrolment.verifications:
        _must_be_known(verification, claims, trust_frameworks)
    cnie = None if enrolment.cnie is UNSET else enrolment.cnie.upper()
    reference = None if enrolment.external_reference is UNSET else enrolment.external_reference
    blind = None if cnie is None else BlindIndex(secrets.derive("cnie-blind")).of(cnie)
    sealer = Sealer(secrets.derive("cnie"))

    async def once(tx: Tx) -> Enrolled:
        for _ in range(_UID_TRIES):
            citizen_id, uid = new_id(), new_uid()
            inserted = await store.insert(
                tx,
                citizen_id=citizen_id,
                uid=uid,
                claims=claims,
                locale=enrolment.locale,
                cnie_sealed=None if cnie is None else sealer.seal(cnie.encode(), place=f"cnie|{citizen_id}"),
                cnie_blind=blind,
                proofing=enrolment.proofing,
                external_reference=reference,
            )
            if inserted:
                await _keep_verifications(tx, citizen_id, enrolment, trust_frameworks)
                code = await issue.issue(tx, secrets, citizen_id, lifetime_s=code_lifetime_s)
                await audit.append(
                    tx,
                    AuditEvent(
                        action="citizen.enrolled",
                        actor_kind="officer",
                        actor=officer,
                        owner=str(citizen_id),
                        detail={"proofing": enrolment.proofing, "fields": sorted(claims)},
                    ),
                )
                return Enrolled(uid=uid, citizen_id=citizen_id, created=True, activation_code=code)
            before = await _enrolled_before(tx, reference, blind)
            if before is not None:
                return before
        raise RuntimeError("no free identifier found")

    return await db.transact(once)


def _must_be_known(
    verification: EnrolledVerification, claims: Mapping[str, Any], trust_frameworks: Sequence[str]
) -> None:
    if verification.trust_framework is not UNSET and verification.trust_framework not in trust_frameworks:
        raise NotEnrollable("verifications: trust_framework")
    if not set(verification.claims) <= {name.partition("#")[0] for name in claims} & set(IN_VERIFIED_CLAIMS):
        raise NotEnrollable("verifications: a claim that is not recorded, or of which no verification is told")
    checked_at = [check.time for one in verification.evidence for check in one.check_details or ()]
    for time in (verification.time, *(time for time in checked_at if isinstance(time, dt.datetime))):
        if time.tzinfo is None or time > dt.datetime.now(dt.UTC):
            raise NotEnrollable("verifications: time")


async def _keep_verifications(tx: Tx, citizen_id: UUID, enrolment: Enrolment, trust_frameworks: Sequence[str]) -> None:
    for verification in enrolment.verifications:
        framework = verification.trust_framework
        level = verification.assurance_level
        await store.insert_verification(
            tx,
            verification_id=new_id(),
            citizen_id=citizen_id,
            trust_framework=trust_frameworks[0] if framework is UNSET else framework,
            assurance_level=None if level is UNSET else level,
            verified_at=verification.time,
            claims=sorted(set(verification.claims)),
            evidence=_clean(msgspec.to_builtins(verification.evidence)),
        )


async def _enrolled_before(tx: Tx, reference: str | None, blind: bytes | None) -> Enrolled | None:
    """The same line again, or None where only the random identifier collided."""
    for row in await store.enrolled_before(tx, external_reference=reference, cnie_blind=blind):
        if reference is None or row["external_reference"] != reference:
            raise AlreadyEnrolled
        if row["cnie_blind"] != blind:
            raise ReferenceInUse
        return Enrolled(uid=row["uid"], citizen_id=row["citizen_id"], created=False, activation_code=None)
    return None


def recorded(enrolment: Enrolment) -> dict[str, Any]:
    """The claims as they are kept: no control characters in any text, a birth date that is a date of the past."""
    claims = _clean(msgspec.to_builtins(enrolment.claims))
    try:
        birthdate = dt.date.fromisoformat(claims["birthdate"])
    except ValueError:
        raise NotEnrollable("birthdate is not a date") from None
    if not dt.date(1850, 1, 1) <= birthdate <= dt.datetime.now(dt.UTC).date():
        raise NotEnrollable("birthdate is out of range")
    assert isinstance(claims, dict)
    return claims


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        # A formatted address has lines (Core §5.1.1); everything else is one.
        text = "\n".join(" ".join(map(strip_controls, line.split())) for line in value.splitlines()).strip()
        if not text:
            raise NotEnrollable("a text is empty")
        return text
    if isinstance(value, dict):
        return {name: _clean(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(member) for member in value]
    return value
