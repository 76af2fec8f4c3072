from idp.citizens.change_state import change_state_of
from idp.citizens.find import find_by_uid
from idp.citizens.refusals import UnknownCitizen
from idp.erasing import store
from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx


async def erase_account(db: Database, audit: Audit, uid: str, *, officer: str, reference: str) -> int:
    """By an officer's decision and not undone: sessions and tokens end, then everything that names the citizen goes, in
    one transaction. How many rows. Raises UnknownCitizen, also for one that was erased.

    The locker is another house: erase there first, because afterwards nobody knows whose it was.
    """

    async def erase(tx: Tx) -> int:
        citizen = await find_by_uid(tx, uid)
        if citizen is None or citizen.state == "erased":
            raise UnknownCitizen
        await change_state_of(tx, audit, citizen, "erase", actor_kind="officer", actor=officer, reason=reference)
        rows = await store.erase(tx, citizen.citizen_id)
        # It names nobody: the citizen's own lines lost their meaning above.
        await audit.append(
            tx,
            AuditEvent(
                action="account.erased",
                actor_kind="officer",
                actor=officer,
                purpose=reference,
                detail={"rows": rows},
            ),
        )
        return rows

    return await db.transact(erase)
