from idp.citizens.find import find_by_uid
from idp.officers.refusals import ReasonNeeded
from idp.officers.schema import CitizenSeen, LookUp, Officer
from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx
from kit.errors import NotFound

_REASON_MIN, _REASON_MAX = 10, 500


async def look_up(db: Database, audit: Audit, wanted: LookUp, *, officer: Officer) -> CitizenSeen:
    """What is recorded of one citizen, who reads in their history that it was read, by whom and why (A-07)."""
    reason = wanted.reason.strip()
    if not _REASON_MIN <= len(reason) <= _REASON_MAX or not reason.isprintable():
        raise ReasonNeeded

    async def once(tx: Tx) -> CitizenSeen:
        citizen = await find_by_uid(tx, wanted.uid) if wanted.uid.isascii() and wanted.uid.isdigit() else None
        if citizen is None:
            raise NotFound
        # In one transaction: nothing is shown of which no line remains.
        await audit.append(
            tx,
            AuditEvent(
                action="citizen.read",
                actor_kind="officer",
                actor=officer.officer_id,
                owner=str(citizen.citizen_id),
                purpose=reason,
                detail={"claims": sorted(citizen.claims)},
            ),
        )
        return CitizenSeen(
            uid=citizen.uid,
            state=citizen.state,
            proofing=citizen.proofing,
            locale=citizen.locale,
            claims=dict(citizen.claims),
        )

    return await db.transact(once)
