"""Two steps: a secret is proposed, then a code from it proves that the citizen's app has it."""

from uuid import UUID

from idp.authenticators import store
from idp.authenticators.one_time_code import as_typed
from idp.authenticators.totp import matching_step, new_secret
from idp.citizens.sealed import Sealer
from idp.keys.secrets import Secrets
from kit.audit import Audit, AuditEvent
from kit.db import Tx


def sealer(secrets: Secrets) -> Sealer:
    return Sealer(secrets.derive("totp"))


def place(citizen_id: UUID) -> str:
    return f"totp|{citizen_id}"


async def proposed(tx: Tx, secrets: Secrets, citizen_id: UUID) -> bytes:
    """The secret that waits for its first code; the same one for an hour, so that a reload shows the same picture."""
    pending = await store.pending_totp(tx, citizen_id)
    if pending is not None:
        return sealer(secrets).open(pending["pending_sealed"], place=place(citizen_id))
    secret = new_secret()
    await store.propose_totp(tx, citizen_id, sealer(secrets).seal(secret, place=place(citizen_id)))
    return secret


async def confirm(tx: Tx, audit: Audit, secrets: Secrets, citizen_id: UUID, typed: str) -> bool:
    """False for a wrong code. The code is spent by this: it does not open a session afterwards."""
    pending = await store.pending_totp(tx, citizen_id)
    if pending is None:
        return False
    sealed = pending["pending_sealed"]
    secret = sealer(secrets).open(sealed, place=place(citizen_id))
    step = matching_step(secret, as_typed(typed), now_s=pending["now_s"])
    if step is None or not await store.confirm_totp(tx, citizen_id, pending_sealed=sealed, step=step):
        return False
    await audit.append(
        tx,
        AuditEvent(
            action="authenticator.added",
            actor_kind="citizen",
            actor=str(citizen_id),
            owner=str(citizen_id),
            detail={"method": "totp"},
        ),
    )
    return True
