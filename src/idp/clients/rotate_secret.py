from typing import Any

from idp.clients import store
from idp.refusals import InvalidClientMetadata
from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx
from kit.tokens import digest, new_token

OVERLAP_MAX_S = 30 * 86_400


async def rotate_secret(db: Database, audit: Audit, client_id: str, *, overlap_s: int, officer: str) -> dict[str, Any]:
    """A new secret, which exists once, in this answer; the present one is good for ``overlap_s`` more seconds."""
    if not 0 <= overlap_s <= OVERLAP_MAX_S:
        raise InvalidClientMetadata(f"overlap: at most {OVERLAP_MAX_S} seconds")
    secret = new_token()

    async def once(tx: Tx) -> None:
        if not await store.rotate_secret(tx, client_id, digest(secret), overlap_s=overlap_s):
            raise InvalidClientMetadata("client_id: no client with a secret")
        await audit.append(
            tx,
            AuditEvent(
                action="client.secret-rotated",
                actor_kind="officer",
                actor=officer,
                object_id=client_id,
                detail={"overlap_s": overlap_s},
            ),
        )

    await db.transact(once)
    return {"client_id": client_id, "client_secret": secret, "previous_expires_in": overlap_s}
