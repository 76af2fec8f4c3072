"""A refresh token becomes an access token (RFC 6749 §6).

Those of public clients rotate, and reuse ends the family; a confidential client's token is bound to its
authentication, and does not rotate: a lost answer must not lock the client out (RFC 9700 §4.14.2).
"""

import datetime as dt

import msgspec

from idp.authorization.details import lasting
from idp.clients.authenticate import authenticate
from idp.clients.spend import once, refuse_repeated
from idp.purposes.held import still_held
from idp.refusals import InvalidGrant, InvalidRequest, UnauthorizedClient
from idp.token import store
from idp.token.binding import Binding, binding_of
from idp.token.grants import (
    TokenEndpoint,
    TokenRequest,
    audience_of,
    details_of,
    id_token_encryption,
    narrowed,
    respond,
)
from idp.token.schema import Grant, TokenResponse
from kit.audit import AuditEvent
from kit.db import Row, Tx
from kit.tokens import digest, new_token


async def refresh_token(endpoint: TokenEndpoint, request: TokenRequest) -> TokenResponse:
    token = request.parameters.get("refresh_token")
    if token is None:
        raise InvalidRequest("refresh_token is missing")
    token_sha256 = digest(token)
    client_id = request.credentials.client_id
    row = await endpoint.store.prefetch_refresh((client_id, endpoint.clients.known_revision(client_id), token_sha256))
    client = endpoint.clients.client(row) if row else None
    assertion = await authenticate(endpoint.client_authentication, client, request.credentials, path="/token")
    assert client is not None
    assert row is not None
    if "refresh_token" not in client.metadata.grant_types:
        raise UnauthorizedClient
    if row["family_client_id"] != client_id:
        raise InvalidGrant
    binding = binding_of(client, request.proof, request.credentials.certificate)
    # A refreshed ID token has no nonce (OpenID Connect Core §12.2).
    grant = Grant.of(row, client_id=client_id, nonce=None)
    if row["consumed"]:
        await _reused(endpoint, grant)
        raise InvalidGrant
    if not row["live"] or (client.public and not _same_holder(row, binding)):
        raise InvalidGrant
    details = await still_held(
        endpoint.db,
        client_id,
        lasting(grant.authorization_details, today=dt.datetime.now(dt.UTC).date()),
    )
    scopes = narrowed(request.parameters, grant.scopes)
    # Also for details that hold no more: what was made of them is opened a while longer.
    target = audience_of(endpoint, request, scopes, grant.resource, grant.authorization_details)
    grant = msgspec.structs.replace(
        grant,
        scopes=scopes,
        authorization_details=details_of(request.parameters, client, details),
    )
    encryption = await id_token_encryption(endpoint, client, grant.scopes)

    event = AuditEvent(
        action="token.issued",
        actor_kind="client",
        actor=client_id,
        owner=str(grant.citizen_id),
        object_id=str(grant.family_id),
        detail={"grant_type": "refresh_token"},
    )
    shown = once(assertion, request.proof)
    fresh_token: str | None = None
    if client.public:
        fresh_token = new_token()
        written = await endpoint.store.rotate(
            endpoint.db,
            once=shown,
            token_sha256=token_sha256,
            next_sha256=digest(fresh_token),
            lifetime_s=endpoint.refresh_token_lifetime_s,
            event=event,
        )
    else:
        written = await endpoint.store.record(once=shown, event=event)
    refuse_repeated(shown, written.fresh)
    if not written.spent:
        # Somebody else used it between our two statements.
        await _reused(endpoint, grant)
        raise InvalidGrant
    return await respond(
        endpoint,
        request,
        client,
        grant,
        target=target,
        binding=binding,
        encryption=encryption,
        refresh_token=fresh_token or token,
        id_token_claims={},
    )


def _same_holder(row: Row, binding: Binding) -> bool:
    """A public client has nothing but its key to be known by (RFC 9449 §5, RFC 8705 §4)."""
    return row["cnf_jkt"] in (None, binding.jkt) and row["cnf_x5t"] in (None, binding.x5t)


async def _reused(endpoint: TokenEndpoint, grant: Grant) -> None:
    async def end(tx: Tx) -> None:
        if await store.end_family(tx, grant.family_id):
            await endpoint.audit.append(
                tx,
                AuditEvent(
                    action="token.family_ended",
                    actor_kind="client",
                    actor=grant.client_id,
                    owner=str(grant.citizen_id),
                    object_id=str(grant.family_id),
                    result="refresh-token-reused",
                ),
            )

    await endpoint.db.transact(end)
