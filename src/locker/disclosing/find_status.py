import re

from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx
from kit.ids import CROCKFORD
from kit.throttle import Limit, Throttle
from locker.disclosing.refusals import CredentialUnknown
from locker.disclosing.schema import CredentialStatus
from locker.shares import store

_WRITTEN = Limit("credential-asked", attempts=60, per_s=3_600)
"""Lines in the citizen's history, by credential: whoever holds one cannot fill it."""
_CREDENTIAL_ID = re.compile(f"[{CROCKFORD}]{{25}}")


async def find_status(db: Database, audit: Audit, throttle: Throttle, credential_id: str) -> CredentialStatus:
    """How it is now; the citizen sees that somebody asked. Raises CredentialUnknown."""
    if not _CREDENTIAL_ID.fullmatch(credential_id):
        raise CredentialUnknown

    async def within(tx: Tx) -> CredentialStatus | None:
        found = await store.credential_status(tx, credential_id=credential_id)
        if found is None:
            return None
        owner, share_id, shared, standing = found
        if await throttle.count(tx, _WRITTEN, credential_id, blocks=False):
            await audit.append(
                tx,
                AuditEvent(action="share.checked", actor_kind="anonymous", owner=owner, object_id=share_id),
            )
        return CredentialStatus(credential_id=credential_id, shared=shared, standing=standing if shared else None)

    status = await db.transact(within)
    if status is None:
        raise CredentialUnknown
    return status
