"""A code becomes tokens, once (RFC 6749 §4.1.3, RFC 7636 §4.6, OpenID Connect Core §3.1.3)."""

import base64
import hashlib
import hmac
import re

from idp.clients.authenticate import authenticate
from idp.clients.spend import once
from idp.refusals import InvalidGrant, InvalidRequest, UnauthorizedClient
from idp.token import store
from idp.token.binding import binding_of
from idp.token.first_tokens import first_tokens
from idp.token.grants import TokenEndpoint, TokenRequest
from idp.token.schema import Grant, TokenResponse
from kit.audit import AuditEvent
from kit.db import Row, Tx
from kit.tokens import digest

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
    tokens = await first_tokens(
        endpoint,
        request,
        client,
        row,
        grant,
        kind="authorization_code",
        code_sha256=code_sha256,
        once=once(assertion, request.proof),
        binding=binding,
    )
    if tokens is None:
        await _replayed(endpoint, code_sha256, client_id)
        raise InvalidGrant
    return tokens


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
