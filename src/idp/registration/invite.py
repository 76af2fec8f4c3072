from collections.abc import Sequence
from typing import Any
from uuid import UUID

from idp.clients.register import check_sector
from idp.clients.schema import Acr, Profile
from idp.clients.scopes import Scopes
from idp.refusals import InvalidClientMetadata
from idp.registration import store
from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx
from kit.errors import NotFound
from kit.ids import new_id
from kit.tokens import digest, new_token

USES_MAX = 10_000
LIFETIME_MAX_S = 90 * 86_400


async def invite(
    db: Database,
    audit: Audit,
    *,
    profile: Profile,
    sector: str | None,
    scopes: Sequence[str],
    acr: Acr,
    uses: int,
    lifetime_s: int,
    officer: str,
) -> dict[str, Any]:
    """An initial access token (RFC 7591 §3): it exists once, in this answer.

    Scopes that need a legal ground cannot be given away like this.
    """
    if sector is not None:
        check_sector(sector)
    known = await Scopes.load(db)
    for scope in scopes:
        if not known.known(scope) or scope in Scopes.NEED_LEGAL_GROUND:
            raise InvalidClientMetadata(f"scope: {scope} cannot be given by an invitation")
    if not 0 < uses <= USES_MAX or not 0 < lifetime_s <= LIFETIME_MAX_S:
        raise InvalidClientMetadata(f"uses: 1 to {USES_MAX}; lifetime: at most {LIFETIME_MAX_S} seconds")
    token, invitation_id = new_token(), new_id()

    async def once(tx: Tx) -> None:
        await store.insert_invitation(
            tx,
            invitation_id,
            digest(token),
            profile=profile,
            sector=sector,
            scopes=scopes,
            acr=acr,
            uses=uses,
            lifetime_s=lifetime_s,
        )
        await audit.append(
            tx,
            AuditEvent(
                action="client.invited",
                actor_kind="officer",
                actor=officer,
                object_id=str(invitation_id),
                detail={"profile": profile, "sector": sector, "scopes": list(scopes), "uses": uses},
            ),
        )

    await db.transact(once)
    return {"invitation_id": str(invitation_id), "initial_access_token": token, "expires_in": lifetime_s, "uses": uses}


async def withdraw(db: Database, audit: Audit, invitation_id: UUID, *, officer: str) -> None:
    """From now on it registers nobody; who has registered with it stays."""

    async def once(tx: Tx) -> None:
        if not await store.revoke_invitation(tx, invitation_id):
            raise NotFound
        await audit.append(
            tx,
            AuditEvent(
                action="client.invitation-withdrawn",
                actor_kind="officer",
                actor=officer,
                object_id=str(invitation_id),
            ),
        )

    await db.transact(once)
