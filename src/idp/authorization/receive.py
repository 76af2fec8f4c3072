"""Where the parameters of a request stand: in the open, or in a request object, sent along or kept at an address."""

import time

import msgspec

from idp.authorization.refusals import AuthorizationError
from idp.authorization.request_object import ObjectRefused, read_request_object
from idp.authorization.steps import Endpoint, must_push
from idp.clients.key_sets import KeySets, NoKeys
from idp.clients.schema import Client
from idp.parameters import Parameters
from kit.jose import TokenRefused, header_of
from kit.outbound.fetch import Fetcher, FetchRefused

_OBJECT_BYTES_MAX = 16_384
_ACCEPT = "application/oauth-authz-req+jwt, application/jwt"


class Reception(msgspec.Struct, frozen=True, kw_only=True):
    """The parts that reading a request takes."""

    key_sets: KeySets
    fetcher: Fetcher
    issuer: str


class Received(msgspec.Struct, frozen=True, kw_only=True):
    parameters: Parameters
    signed: bool
    """They come out of a request object that the client signed, and nothing beside it counts."""


async def receive(parts: Reception, parameters: Parameters, client: Client, *, endpoint: Endpoint) -> Received:
    """AuthorizationError for a request object that cannot be read or is not the client's."""
    if endpoint == "par" and "request_uri" in parameters:
        raise AuthorizationError("invalid_request", "request_uri: what is pushed is the request itself (RFC 9126 §2.1)")
    if "request" in parameters and "request_uri" in parameters:
        raise AuthorizationError("invalid_request", "request and request_uri exclude each other (RFC 9101 §5)")
    if "request" not in parameters and "request_uri" not in parameters:
        return Received(parameters=parameters, signed=False)
    if endpoint == "authorize" and must_push(client):
        raise AuthorizationError("invalid_request", "this client pushes its requests (RFC 9126)")
    text = parameters.get("request") or await _fetched(parts.fetcher, parameters["request_uri"], client)
    try:
        keys = await parts.key_sets.keys_of(client, kid=header_of(text).get("kid"))
    except (TokenRefused, NoKeys) as fault:
        raise ObjectRefused(fault.reason) from None
    found = read_request_object(text, keys, client, issuer=parts.issuer, now=time.time())
    response_type = parameters.get("response_type")
    if endpoint == "authorize" and response_type is not None and response_type != found.get("response_type"):
        # OpenID Connect Core §6.1: what stands in the open for the sake of OAuth must say the same.
        raise AuthorizationError("invalid_request", "response_type is another one inside the request object")
    return Received(parameters=found, signed=True)


async def _fetched(fetcher: Fetcher, request_uri: str, client: Client) -> str:
    """Only from an address that this client registered, letter by letter (OpenID Connect Core §6.2, O-24)."""
    if request_uri not in client.metadata.request_uris:
        raise AuthorizationError("invalid_request_uri", "request_uri is not registered")
    try:
        fetched = await fetcher.get(request_uri, accept=_ACCEPT, body_max_bytes=_OBJECT_BYTES_MAX)
    except FetchRefused:
        raise AuthorizationError("invalid_request_uri", "request_uri cannot be fetched") from None
    if fetched.status != 200 or not fetched.body.isascii():
        raise AuthorizationError("invalid_request_uri", "request_uri gives no request object")
    return fetched.body.decode("ascii").strip()
