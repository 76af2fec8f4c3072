"""What a citizen gave becomes tokens, once: the end that all grants share that begin a family."""

import datetime as dt
from collections.abc import Sequence

import msgspec

from idp.authorization.schema import Kind
from idp.authorization.verified_claims import asked_verified
from idp.citizens.claims import as_wanted, standard_claims
from idp.citizens.schema import Citizen
from idp.citizens.verified import verifications_of, verified_claims
from idp.clients.schema import Client
from idp.clients.spend import Once, refuse_repeated
from idp.token.binding import Binding
from idp.token.grants import TokenEndpoint, TokenRequest, audience_of, details_of, id_token_encryption, respond
from idp.token.schema import Grant, TokenResponse
from kit.audit import AuditEvent
from kit.db import Row
from kit.tokens import digest, new_token


async def first_tokens(
    endpoint: TokenEndpoint,
    request: TokenRequest,
    client: Client,
    row: Row,
    grant: Grant,
    *,
    kind: Kind,
    code_sha256: bytes,
    once: Sequence[Once],
    binding: Binding,
) -> TokenResponse | None:
    """None where another call spent the code first. A request for what it may not have spends nothing."""
    details = details_of(request.parameters, client, grant.authorization_details)
    target = audience_of(endpoint, request, grant.scopes, grant.resource, details)
    encryption = await id_token_encryption(endpoint, client, grant.scopes)

    refresh_token = new_token() if "refresh_token" in client.metadata.grant_types else None
    written = await endpoint.store.spend_code(
        endpoint.db,
        client_id=client.client_id,
        kind=kind,
        once=once,
        code_sha256=code_sha256,
        cnf_jkt=binding.jkt,
        cnf_x5t=binding.x5t,
        refresh_sha256=digest(refresh_token) if refresh_token else None,
        family_lifetime_s=endpoint.refresh_token_lifetime_s,
        event=AuditEvent(
            action="token.issued",
            actor_kind="client",
            actor=grant.client_id,
            owner=str(grant.citizen_id),
            object_id=str(grant.family_id),
            detail={"grant_type": request.parameters["grant_type"]},
        ),
    )
    refuse_repeated(once, written.fresh)
    if not written.spent:
        return None
    return await respond(
        endpoint,
        request,
        client,
        msgspec.structs.replace(grant, authorization_details=details),
        target=target,
        binding=binding,
        encryption=encryption,
        refresh_token=refresh_token,
        id_token_claims=await _id_token_claims(endpoint, row, grant, client),
    )


async def _id_token_claims(endpoint: TokenEndpoint, row: Row, grant: Grant, client: Client) -> dict[str, object]:
    """Claims that were asked for in the ID token; the rest is userinfo's."""
    if row["citizen_claims"] is None or not grant.claims.id_token:
        return {}
    citizen = Citizen(
        citizen_id=row["citizen_id"],
        uid=row["uid"],
        state=row["citizen_state"],
        claims=row["citizen_claims"],
        locale=row["locale"],
        proofing=row["proofing"],
        updated_at=row["updated_at"],
        tokens_valid_from=row["tokens_valid_from"],
    )
    wanted = set(grant.claims.id_token) - {"acr", "auth_time", "sub", "amr"}
    withheld = frozenset({"uid"}) if client.legal_ground is None else frozenset()
    claims = as_wanted(standard_claims(citizen, wanted - withheld, grant.claims.locales), grant.claims.id_token)
    if grant.claims.verified_id_token:
        claims |= verified_claims(
            citizen,
            await verifications_of(endpoint.db, citizen.citizen_id),
            grant.claims.verified_id_token,
            given=asked_verified(grant.claims.id_token) - withheld,
            locales=grant.claims.locales,
            now=dt.datetime.now(dt.UTC),
        )
    return claims
