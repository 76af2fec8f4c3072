"""A code becomes tokens, once (RFC 6749 §4.1.3, RFC 7636 §4.6, OpenID Connect Core §3.1.3)."""

import base64
import datetime as dt
import hashlib
import hmac
import re

import msgspec

from idp.authorization.verified_claims import asked_verified
from idp.citizens.claims import as_wanted, standard_claims
from idp.citizens.schema import Citizen
from idp.citizens.verified import verifications_of, verified_claims
from idp.clients.authenticate import authenticate
from idp.clients.schema import Client
from idp.clients.spend import once, refuse_repeated
from idp.refusals import InvalidGrant, InvalidRequest, UnauthorizedClient
from idp.token import store
from idp.token.binding import binding_of
from idp.token.grants import TokenEndpoint, TokenRequest, audience_of, details_of, id_token_encryption, respond
from idp.token.schema import Grant, TokenResponse
from kit.audit import AuditEvent
from kit.db import Row, Tx
from kit.tokens import digest, new_token

_CODE_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


async def authorization_code(endpoint: TokenEndpoint, request: TokenRequest) -> TokenResponse:
    code = request.parameters.get("code")
    if code is None:
        raise InvalidRequest("code is missing")
    code_sha256 = digest(code)
    client_id = request.credentials.client_id
    row = await store.prefetch_code(
        endpoint.db,
        client_id,
        known_revision=endpoint.clients.known_revision(client_id),
        code_sha256=code_sha256,
        kind="authorization_code",
    )
    client = endpoint.clients.client(row) if row else None
    assertion = await authenticate(endpoint.client_authentication, client, request.credentials, path="/token")
    assert client is not None
    assert row is not None
    if "authorization_code" not in client.metadata.grant_types:
        raise UnauthorizedClient
    binding = binding_of(client, request.proof, request.credentials.certificate)
    grant = await _checked(endpoint, request, row, code_sha256)
    details = details_of(request.parameters, client, grant.authorization_details)
    audience_of(endpoint, request, grant.scopes, grant.resource)
    encryption = await id_token_encryption(endpoint, client, grant.scopes)

    refresh_token = new_token() if "refresh_token" in client.metadata.grant_types else None
    shown = once(assertion, request.proof)
    written = await endpoint.store.spend_code(
        endpoint.db,
        client_id=client_id,
        kind="authorization_code",
        once=shown,
        code_sha256=code_sha256,
        cnf_jkt=binding.jkt,
        cnf_x5t=binding.x5t,
        refresh_sha256=digest(refresh_token) if refresh_token else None,
        family_lifetime_s=endpoint.refresh_token_lifetime_s,
        event=_issued(grant),
    )
    refuse_repeated(shown, written.fresh)
    if not written.spent:
        await _replayed(endpoint, code_sha256, client_id)
        raise InvalidGrant
    return await respond(
        endpoint,
        request,
        client,
        msgspec.structs.replace(grant, authorization_details=details),
        binding=binding,
        encryption=encryption,
        refresh_token=refresh_token,
        id_token_claims=await id_token_claims(endpoint, row, grant, client),
    )


async def _checked(endpoint: TokenEndpoint, request: TokenRequest, row: Row, code_sha256: bytes) -> Grant:
    if row["code_client_id"] is None:
        raise InvalidGrant
    if row["consumed"]:
        await _replayed(endpoint, code_sha256, request.credentials.client_id)
        raise InvalidGrant
    if row["expired"] or not row["consent_live"]:
        raise InvalidGrant
    mismatch = _mismatch(request, row)
    if mismatch:
        # Whoever holds the code is not who asked for it: it is good for nobody any more (O-12).
        await store.burn_code(endpoint.db, code_sha256)
        raise InvalidGrant(mismatch)
    return Grant.of(row, client_id=row["code_client_id"], nonce=row["nonce"])


def _mismatch(request: TokenRequest, row: Row) -> str | None:
    if row["code_client_id"] != request.credentials.client_id:
        return "the code was given to another client"
    if request.parameters.get("redirect_uri") != row["redirect_uri"]:
        return "redirect_uri does not match the authorization request"
    if row["dpop_jkt"] is not None and (request.proof is None or request.proof.jkt != row["dpop_jkt"]):
        return "the code was given to another DPoP key"
    verifier, challenge = request.parameters.get("code_verifier"), row["code_challenge"]
    if challenge is None:
        # An attacker could otherwise strip the challenge from the request (PKCE downgrade, RFC 9700 §4.8.2).
        return "code_verifier without a code_challenge" if verifier is not None else None
    if verifier is None or not _CODE_VERIFIER.fullmatch(verifier):
        return "code_verifier"
    return None if hmac.compare_digest(s256_challenge(verifier), challenge) else "code_verifier"


def s256_challenge(verifier: str) -> str:
    """BASE64URL(SHA256(verifier)) without padding: always 43 characters (RFC 7636 §4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


async def _replayed(endpoint: TokenEndpoint, code_sha256: bytes, client_id: str) -> None:
    """RFC 6749 §4.1.2: the second use ends what the first one got."""

    async def end(tx: Tx) -> None:
        ended = await store.end_family_of_code(tx, code_sha256)
        if ended:
            await endpoint.audit.append(
                tx,
                AuditEvent(
                    action="token.family_ended",
                    actor_kind="client",
                    actor=client_id,
                    owner=str(ended[1]),
                    object_id=str(ended[0]),
                    result="code-replayed",
                ),
            )

    await endpoint.db.transact(end)


def _issued(grant: Grant) -> AuditEvent:
    return AuditEvent(
        action="token.issued",
        actor_kind="client",
        actor=grant.client_id,
        owner=str(grant.citizen_id),
        object_id=str(grant.family_id),
        detail={"grant_type": "authorization_code"},
    )


async def id_token_claims(endpoint: TokenEndpoint, row: Row, grant: Grant, client: Client) -> dict[str, object]:
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
