"""A client leaves its request with us and gets a handle for it (RFC 9126)."""

from collections.abc import Mapping

import msgspec

from idp.authorization import store
from idp.authorization.pushed import PUSHED
from idp.authorization.receive import Reception, receive
from idp.authorization.refusals import AuthorizationError, RequestRefused
from idp.authorization.steps import Asked
from idp.authorization.validate import validate
from idp.clients.authenticate import ClientAuthentication, authenticate, credentials_of
from idp.clients.find import find_client
from idp.clients.scopes import Scopes
from idp.clients.spend import once, refuse_repeated
from idp.parameters import Parameters
from idp.purposes.hold import hold
from idp.refusals import said_as_oauth
from kit.audit import Audit
from kit.dpop import Proof
from kit.jose import KeySet
from kit.throttle import Limit, Throttle
from kit.tokens import digest, new_token

LIFETIME_S = 90
REQUESTS = Limit("pushed-requests", 60, 60)


class PushedResponse(msgspec.Struct, frozen=True, kw_only=True):
    """RFC 9126 §2.2"""

    request_uri: str
    expires_in: int


async def push(
    authentication: ClientAuthentication,
    reception: Reception,
    headers: Mapping[str, str],
    parameters: Parameters,
    *,
    scopes: Scopes,
    keys: KeySet,
    throttle: Throttle,
    address_prefix: str,
    audit: Audit,
    proof: Proof | None = None,
) -> PushedResponse:
    """The client is who it says, the request is one that would be answered, and nobody guesses its handle.

    Everything that can be wrong with a request is told here, to the client, and not later to a citizen. ``proof`` binds
    the code to its key as ``dpop_jkt`` does (RFC 9449 §10.1). TooFast for a public client (§2.3).
    """
    credentials = credentials_of(headers, parameters)
    client = await find_client(authentication.db, authentication.clients, credentials.client_id)
    assertion = await authenticate(authentication, client, credentials, path="/par")
    assert client is not None
    if client.public:
        # Its name is known to everybody, and each request is a row.
        with said_as_oauth():
            await throttle.count(authentication.db, REQUESTS, f"{client.client_id}|{address_prefix}")
    try:
        received = await receive(reception, parameters, client, endpoint="par")
        request = validate(
            Asked(
                endpoint="par",
                parameters=received.parameters,
                signed=received.signed,
                client=client,
                scopes=scopes,
                issuer=reception.issuer,
                keys=keys,
                proof_jkt=proof.jkt if proof else None,
            )
        )
        await hold(authentication.db, audit, request, is_proven=not client.public)
    except AuthorizationError as error:
        raise RequestRefused(error) from None
    request_uri = PUSHED + new_token()
    shown = once(assertion, proof)
    fresh = await store.insert_pushed(
        authentication.db,
        digest(request_uri),
        request=request,
        once=shown,
        lifetime_s=LIFETIME_S,
    )
    refuse_repeated(shown, fresh)
    return PushedResponse(request_uri=request_uri, expires_in=LIFETIME_S)
