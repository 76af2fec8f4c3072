from idp.citizens import store
from idp.citizens.refusals import ReasonNeeded, UnknownCitizen
from idp.citizens.schema import Citizen
from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx

_REASON_MAX = 200


async def read_record(db: Database, audit: Audit, uid: str, *, officer: str, reason: str) -> Citizen:
    """An officer looks at what is recorded; the citizen sees who did and why (A-07). Raises UnknownCitizen,
    ReasonNeeded.

    The row is written in the transaction that reads, so that nothing is seen without it.
    """
    said = " ".join(reason.split())
    if not 3 <= len(said) <= _REASON_MAX:
        raise ReasonNeeded

    async def once(tx: Tx) -> Citizen:
        citizen = await store.by_uid(tx, uid)
        if citizen is None:
            raise UnknownCitizen
        await audit.append(
            tx,
            AuditEvent(
                action="citizen.read",
                actor_kind="officer",
                actor=officer,
                owner=str(citizen.citizen_id),
                purpose=said,
                detail={"fields": sorted(citizen.claims)},
            ),
        )
        return citizen

    return await db.transact(once)
