import re

from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx
from kit.ids import CROCKFORD
from kit.strangers import StrangersLines
from kit.throttle import Throttle
from locker.access.provider import Provider
from locker.disclosing.refusals import CredentialUnknown
from locker.disclosing.schema import CredentialStatus
from locker.shares import store
from locker.shares.schema import CredentialRow

_LINES = StrangersLines("credential-asked")
_CREDENTIAL_ID = re.compile(f"[{CROCKFORD}]{{25}}")


async def find_status(
    db: Database, audit: Audit, throttle: Throttle, provider: Provider, credential_id: str
) -> CredentialStatus:
    """How it is now; the citizen sees that somebody asked. Raises CredentialUnknown."""
    if not _CREDENTIAL_ID.fullmatch(credential_id):
        raise CredentialUnknown

    async def within(tx: Tx) -> CredentialRow | None:
        found = await store.credential_status(tx, credential_id=credential_id)
        if found:
            checked = AuditEvent(
                action="share.checked", actor_kind="anonymous", owner=found.owner, object_id=found.share_id
            )
            await _LINES.write(tx, audit, throttle, [checked], thing=credential_id)
        return found

    found = await db.transact(within)
    if found is None:
        raise CredentialUnknown
    shared = found.shared and (found.grant_id is None or await provider.stands(found.grant_id))
    return CredentialStatus(credential_id=credential_id, shared=shared, standing=found.standing if shared else None)
