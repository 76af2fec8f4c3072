"""The parameters of an authentication request: out of its signed form, or as they stand where the client signs none."""

from idp.backchannel.signed_request import must_be_signed, read_signed_request
from idp.clients.authenticate import Assertion, ClientAuthentication
from idp.clients.key_sets import NoKeys
from idp.clients.schema import Client
from idp.clients.spend import spend
from idp.parameters import Parameters
from idp.refusals import InvalidClient, InvalidRequest
from kit.jose import TokenRefused, header_of


async def read(parts: ClientAuthentication, client: Client, parameters: Parameters) -> Parameters:
    """Raises InvalidRequest; a signed request is good once."""
    if "request_uri" in parameters:
        raise InvalidRequest("request_uri is not supported")
    request = parameters.get("request")
    if request is None:
        if must_be_signed(client):
            raise InvalidRequest("request: this client signs its requests")
        return parameters
    try:
        keys = await parts.key_sets.keys_of(client, kid=header_of(request).get("kid"))
    except (NoKeys, TokenRefused) as fault:
        raise InvalidRequest(f"request: {fault.reason}") from None
    signed = read_signed_request(request, parameters, client, keys=keys, issuer=parts.issuer)
    try:
        await spend(parts.db, Assertion(signed.jti_sha256, signed.expires_at))
    except InvalidClient:
        raise InvalidRequest("request: jti was used before") from None
    return signed.parameters
