"""A client looks at its registration, replaces it, or takes it back (RFC 7592 §2)."""

import hmac
from typing import Any

import msgspec

from idp.clients import register as clients
from idp.clients.schema import ClientMetadata
from idp.consents.end_of_client import end_of_client
from idp.refusals import InvalidClientMetadata, InvalidRequest
from idp.registration import store
from idp.registration.decode import members_of, registration_of
from idp.registration.parts import Registrar
from idp.registration.register import invitation_of, management
from idp.registration.sector import sector_of
from idp.userinfo.refusals import InvalidToken
from kit.audit import AuditEvent
from kit.db import Row, Tx
from kit.tokens import digest, new_token

_CLIENT_ID_MAX = 64
# RFC 7592 §2.2: a client must not send these back.
_OURS = ("registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at")


async def read(registrar: Registrar, client_id: str, token: str) -> dict[str, Any]:
    """Without the secret: it existed once, in the answer to the registration."""
    row = await _registration(registrar, client_id, token)
    metadata = msgspec.convert(row["metadata"], ClientMetadata)
    return {
        **clients.in_force(client_id, metadata, None),
        **management(registrar, client_id, token=token, issued_at=row["created_at"]),
    }


async def replace(registrar: Registrar, client_id: str, token: str, body: bytes) -> dict[str, Any]:
    """The whole metadata anew: what is not sent is back at its default. The token is another one afterwards."""
    row = await _registration(registrar, client_id, token)
    members, invitation = members_of(body), invitation_of(row)
    _check_identity(members, client_id, row["secret_sha256"])
    registration = registration_of(members, invitation)
    metadata, logo = await registrar.checked(registration)
    sector = invitation.sector or sector_of(metadata, client_id)
    if sector != row["sector"]:
        # Citizens would have other identifiers, or those of somebody else's sector.
        raise InvalidClientMetadata("redirect_uris, sector_identifier_uri: the sector of a client cannot change")
    registration = msgspec.structs.replace(registration, sector=sector)
    next_token = new_token()

    async def once(tx: Tx) -> str | None:
        if not await store.rotate_token(tx, client_id, old_sha256=digest(token), new_sha256=digest(next_token)):
            raise InvalidToken
        secret = await clients.put(tx, client_id, registration, metadata, logo)
        await registrar.audit.append(
            tx, AuditEvent(action="client.updated", actor_kind="client", actor=client_id, object_id=client_id)
        )
        return secret

    secret = await registrar.db.transact(once)
    return {
        **clients.in_force(client_id, metadata, secret),
        **management(registrar, client_id, token=next_token, issued_at=row["created_at"]),
    }


async def delete(registrar: Registrar, client_id: str, token: str) -> None:
    """With it end its tokens, and what citizens agreed to."""
    await _registration(registrar, client_id, token)

    async def once(tx: Tx) -> None:
        if not await store.delete_registration(tx, client_id, digest(token)):
            raise InvalidToken
        await clients.delete(tx, client_id)
        await registrar.audit.append(
            tx, AuditEvent(action="client.deleted", actor_kind="client", actor=client_id, object_id=client_id)
        )

    await registrar.db.transact(once)
    await end_of_client(registrar.db, registrar.audit, client_id)


async def _registration(registrar: Registrar, client_id: str, token: str) -> Row:
    """InvalidToken also for a client that is not there: a guess tells nothing (RFC 7592 §2.1)."""
    row = None
    if len(client_id) <= _CLIENT_ID_MAX:
        row = await store.select_registration(registrar.db, client_id, digest(token))
    if row is None:
        raise InvalidToken
    return row


def _check_identity(members: dict[str, Any], client_id: str, secret_sha256: bytes | None) -> None:
    if any(name in members for name in _OURS):
        raise InvalidRequest("a member that only the provider sets (RFC 7592 §2.2)")
    if members.get("client_id") != client_id:
        raise InvalidRequest("client_id: it cannot change")
    sent = members.get("client_secret")
    if sent is not None and (
        not isinstance(sent, str) or secret_sha256 is None or not hmac.compare_digest(digest(sent), secret_sha256)
    ):
        raise InvalidRequest("client_secret: it cannot be chosen")
