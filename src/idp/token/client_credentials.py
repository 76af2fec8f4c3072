"""An administration's back end acts for itself (RFC 6749 §4.4)."""

from idp.clients.authenticate import authenticate
from idp.clients.spend import once, refuse_repeated
from idp.refusals import InvalidScope, UnauthorizedClient
from idp.token import mint
from idp.token.binding import binding_of
from idp.token.grants import TokenEndpoint, TokenRequest, audience_of, details_of
from idp.token.schema import TokenResponse
from kit.audit import AuditEvent


async def client_credentials(endpoint: TokenEndpoint, request: TokenRequest) -> TokenResponse:
    client_id = request.credentials.client_id
    client = await endpoint.client_authentication.find(client_id)
    assertion = await authenticate(endpoint.client_authentication, client, request.credentials, path="/token")
    assert client is not None
    if "client_credentials" not in client.metadata.grant_types:
        raise UnauthorizedClient
    binding = binding_of(client, request.proof, request.credentials.certificate)
    scopes = client.metadata.scopes
    if "scope" in request.parameters:
        scopes = frozenset(request.parameters["scope"].split())
        if not scopes <= client.metadata.scopes:
            raise InvalidScope
    # Details are a citizen's to give: of none, none.
    details_of(request.parameters, client, ())
    audience, scopes = audience_of(endpoint, request, scopes, None)
    token, jti = await mint.access_token_of_client(
        client_id,
        audience=audience,
        scopes=scopes,
        binding=binding,
        keys=endpoint.keys.current(),
        issuer=endpoint.issuer,
        lifetime_s=endpoint.access_token_lifetime_s,
    )
    shown = once(assertion, request.proof)
    written = await endpoint.store.record(
        once=shown,
        event=AuditEvent(
            action="token.issued",
            actor_kind="client",
            actor=client_id,
            object_id=jti,
            detail={"grant_type": "client_credentials", "scopes": sorted(scopes)},
        ),
    )
    refuse_repeated(shown, written.fresh)
    return TokenResponse(
        access_token=token,
        token_type=binding.token_type,
        expires_in=endpoint.access_token_lifetime_s,
        scope=" ".join(sorted(scopes)),
    )
