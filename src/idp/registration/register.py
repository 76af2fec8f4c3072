from typing import Any

import msgspec

from idp.clients import register as clients
from idp.registration import store
from idp.registration.decode import members_of, registration_of
from idp.registration.parts import Registrar
from idp.registration.schema import Invitation
from idp.registration.sector import sector_of
from idp.userinfo.refusals import InvalidToken
from kit.audit import AuditEvent
from kit.db import Row, Tx
from kit.tokens import digest, new_token


async def register(registrar: Registrar, initial_access_token: str, body: bytes) -> dict[str, Any]:
    """The client information response (RFC 7591 §3.2.1). A request that is refused spends nothing."""
    row = await store.select_invitation(registrar.db, digest(initial_access_token))
    if row is None:
        raise InvalidToken
    invitation = invitation_of(row)
    registration = registration_of(members_of(body), invitation)
    metadata, logo = await registrar.checked(registration)
    client_id, token = clients.new_client_id(), new_token()
    registration = msgspec.structs.replace(registration, sector=invitation.sector or sector_of(metadata, client_id))

    async def once(tx: Tx) -> tuple[str | None, int]:
        if not await store.spend_invitation(tx, invitation.invitation_id):
            raise InvalidToken
        secret = await clients.insert(tx, client_id, registration, metadata, logo)
        await registrar.audit.append(
            tx,
            AuditEvent(
                action="client.registered",
                actor_kind="client",
                actor=client_id,
                object_id=client_id,
                detail={
                    "profile": registration.profile,
                    "sector": registration.sector,
                    "invitation": str(invitation.invitation_id),
                },
            ),
        )
        return secret, await store.insert_registration(tx, client_id, digest(token), invitation.invitation_id)

    secret, issued_at = await registrar.db.transact(once)
    return {
        **clients.in_force(client_id, metadata, secret),
        **management(registrar, client_id, token=token, issued_at=issued_at),
    }


def management(registrar: Registrar, client_id: str, *, token: str, issued_at: int) -> dict[str, Any]:
    """RFC 7592 §3"""
    return {
        "client_id_issued_at": issued_at,
        "registration_access_token": token,
        "registration_client_uri": f"{registrar.issuer}/register/{client_id}",
    }


def invitation_of(row: Row) -> Invitation:
    return Invitation(
        invitation_id=row["invitation_id"],
        profile=row["profile"],
        sector=row["invited_sector"],
        scopes=tuple(row["scopes"]),
        acr=row["acr"],
    )
