"""Recovery codes: ten on paper, 60 random bits each, good once each (look-up secrets, NIST SP 800-63B §3.1.2)."""

import hashlib
import hmac
from collections.abc import Sequence
from uuid import UUID

from idp.authenticators import store
from idp.authenticators.printed_code import as_typed, new_code
from idp.keys.secrets import Secrets
from kit.audit import Audit, AuditEvent
from kit.db import Tx

CODES = 10


def code_mac(secrets: Secrets, citizen_id: UUID, code: str) -> bytes:
    message = f"{citizen_id}|{as_typed(code)}"
    return hmac.new(secrets.derive("recovery-code"), message.encode(), hashlib.sha256).digest()


async def renew(tx: Tx, audit: Audit, secrets: Secrets, citizen_id: UUID) -> Sequence[str]:
    """Ten new ones, shown this once; those of before open nothing any more."""
    codes = [new_code() for _ in range(CODES)]
    await store.replace_recovery_codes(tx, citizen_id, [code_mac(secrets, citizen_id, code) for code in codes])
    await audit.append(
        tx,
        AuditEvent(
            action="recovery-codes.made",
            actor_kind="citizen",
            actor=str(citizen_id),
            owner=str(citizen_id),
        ),
    )
    return codes


async def spend(tx: Tx, audit: Audit, secrets: Secrets, citizen_id: UUID, typed: str) -> bool:
    """True once for each right code, whoever comes at the same moment."""
    if not await store.spend_recovery_code(tx, citizen_id, code_mac(secrets, citizen_id, typed)):
        return False
    await audit.append(
        tx,
        AuditEvent(action="recovery-code.used", actor_kind="citizen", actor=str(citizen_id), owner=str(citizen_id)),
    )
    return True
