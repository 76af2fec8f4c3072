from uuid import UUID

from idp.authenticators import store
from idp.authenticators.breached import BreachedPasswords
from idp.authenticators.password import acceptable, hashed
from idp.authenticators.refusals import PasswordRefused
from idp.citizens.schema import Citizen
from kit.audit import Audit, AuditEvent
from kit.db import Tx
from kit.offload import Offload


async def stretched(passwords: Offload, breached: BreachedPasswords, password: str, citizen: Citizen) -> str:
    """Before the transaction: what will be kept. Raises PasswordRefused."""
    form = acceptable(password, uid=citizen.uid, claims=citizen.claims)
    if await passwords.run(breached.holds, form):
        raise PasswordRefused("common")
    return await hashed(passwords, form)


async def set_password(tx: Tx, audit: Audit, citizen_id: UUID, argon2: str) -> None:
    await store.set_password(tx, citizen_id, argon2)
    await audit.append(
        tx,
        AuditEvent(
            action="password.set",
            actor_kind="citizen",
            actor=str(citizen_id),
            owner=str(citizen_id),
        ),
    )
