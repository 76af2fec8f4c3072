import re
from collections.abc import Sequence
from typing import Any

from idp.officers import store
from idp.officers.refusals import OfficerExists
from idp.officers.schema import Ability
from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx
from kit.errors import Invalid, NotFound
from kit.jose import KeyRefused, PublicKeys

_OFFICER_ID = re.compile(r"[a-z0-9._-]{2,64}")


async def add(
    db: Database, audit: Audit, officer_id: str, *, public_jwk: dict[str, Any], abilities: Sequence[Ability], by: str
) -> None:
    """Only at the machine's own command line: whoever can add officers could be both of two."""
    if not _OFFICER_ID.fullmatch(officer_id):
        raise Invalid("officer_id: 2 to 64 small letters, digits or . _ -")
    try:
        if not PublicKeys({"keys": [public_jwk]}).sign():
            raise Invalid("a key for signatures is needed")
    except KeyRefused as fault:
        raise Invalid(str(fault)) from None

    async def once(tx: Tx) -> None:
        if not await store.insert_officer(tx, officer_id, public_jwk=public_jwk, abilities=abilities):
            raise OfficerExists
        await audit.append(
            tx,
            AuditEvent(
                action="officer.added",
                actor_kind="officer",
                actor=by,
                object_id=officer_id,
                detail={"abilities": list(abilities)},
            ),
        )

    await db.transact(once)


async def disable(db: Database, audit: Audit, officer_id: str, *, by: str) -> None:
    async def once(tx: Tx) -> None:
        if not await store.set_state(tx, officer_id, "disabled"):
            raise NotFound
        await audit.append(
            tx, AuditEvent(action="officer.disabled", actor_kind="officer", actor=by, object_id=officer_id)
        )

    await db.transact(once)
