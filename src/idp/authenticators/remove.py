from uuid import UUID

from idp.authenticators import store
from idp.authenticators.refusals import LastSecondFactor
from idp.authenticators.schema import Method
from kit.audit import Audit, AuditEvent
from kit.db import Tx


async def remove(tx: Tx, audit: Audit, citizen_id: UUID, method: Method) -> bool:
    """False if it was not there. Raises LastSecondFactor: nobody locks themselves out."""
    await store.lock_methods(tx, citizen_id)
    if (await store.methods(tx, citizen_id)).lasting == (method,):
        raise LastSecondFactor
    removed = await (
        store.remove_totp(tx, citizen_id) if method == "totp" else store.remove_code_by_message(tx, citizen_id)
    )
    if removed:
        await _record(tx, audit, citizen_id, method)
    return removed


async def remove_passkey(tx: Tx, audit: Audit, citizen_id: UUID, passkey_id: UUID) -> bool:
    """False if this citizen has no such passkey. Raises LastSecondFactor."""
    await store.lock_methods(tx, citizen_id)
    methods = await store.methods(tx, citizen_id)
    if methods.lasting == ("passkey",) and methods.passkeys == 1:
        raise LastSecondFactor
    removed = await store.remove_passkey(tx, citizen_id, passkey_id)
    if removed:
        await _record(tx, audit, citizen_id, "passkey", object_id=str(passkey_id))
    return removed


async def _record(tx: Tx, audit: Audit, citizen_id: UUID, method: Method, *, object_id: str | None = None) -> None:
    await audit.append(
        tx,
        AuditEvent(
            action="authenticator.removed",
            actor_kind="citizen",
            actor=str(citizen_id),
            owner=str(citizen_id),
            object_id=object_id,
            detail={"method": method},
        ),
    )
