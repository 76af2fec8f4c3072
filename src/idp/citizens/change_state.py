"""Suspend, reactivate, freeze or close an identity: sessions end in the same transaction, grants at their next use."""

from typing import Literal

from idp.citizens import store
from idp.citizens.refusals import StateRefused, UnknownCitizen
from idp.citizens.schema import Citizen, State
from idp.mandates.end import end_all_of
from idp.sessions import end
from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx

Change = Literal["suspend", "reactivate", "freeze", "unfreeze", "record-death", "erase"]

_CHANGES: dict[Change, tuple[list[str], State, str]] = {
    "suspend": (["registered", "active", "frozen"], "suspended", "citizen.suspended"),
    "reactivate": (["suspended"], "active", "citizen.reactivated"),
    "freeze": (["active"], "frozen", "citizen.frozen"),
    "unfreeze": (["frozen"], "active", "citizen.unfrozen"),
    "record-death": (["registered", "active", "frozen", "suspended"], "deceased", "citizen.death-recorded"),
    "erase": (["registered", "active", "frozen", "suspended", "deceased"], "erased", "citizen.erased"),
}


async def change_state(
    db: Database,
    audit: Audit,
    uid: str,
    change: Change,
    *,
    actor_kind: Literal["officer", "citizen"],
    actor: str,
    reason: str,
) -> State:
    """The new state. Raises UnknownCitizen, StateRefused."""

    async def once(tx: Tx) -> State:
        citizen = await store.by_uid(tx, uid)
        if citizen is None:
            raise UnknownCitizen
        return await change_state_of(tx, audit, citizen, change, actor_kind=actor_kind, actor=actor, reason=reason)

    return await db.transact(once)


async def change_state_of(
    tx: Tx,
    audit: Audit,
    citizen: Citizen,
    change: Change,
    *,
    actor_kind: Literal["officer", "citizen"],
    actor: str,
    reason: str,
) -> State:
    """The same inside a transaction that has more to do."""
    from_states, state, action = _CHANGES[change]
    if not await store.set_state(tx, citizen.citizen_id, state=state, from_states=from_states):
        raise StateRefused(f"the citizen is {citizen.state}")
    await end.end_all_for(tx, audit, citizen.citizen_id, because=action)
    if state in ("frozen", "suspended", "deceased", "erased"):
        await end_all_of(tx, audit, citizen.citizen_id, because=action)
    await audit.append(
        tx,
        AuditEvent(
            action=action,
            actor_kind=actor_kind,
            actor=actor,
            owner=str(citizen.citizen_id),
            purpose=reason,
            detail={"from": citizen.state, "to": state},
        ),
    )
    return state
