"""The backchannel authentication endpoint's own order of things (CIBA Core §7.2)."""

from idp.authorization.refusals import AuthorizationError, RequestRefused
from idp.authorization.steps import Asked
from idp.authorization.validate import validate
from idp.backchannel.begin import begin
from idp.backchannel.check import binding_message_of, check_user_code, hint_of, lifetime_of, notification_token_of
from idp.backchannel.find_citizen import citizen_hinted
from idp.backchannel.schema import GRANT_TYPE, Asking, Backchannel, BackchannelAuthenticationResponse
from idp.clients.schema import Client
from idp.clients.scopes import Scopes
from idp.parameters import Parameters
from idp.purposes.hold import hold
from idp.refusals import InvalidScope, UnauthorizedClient, said_as_oauth
from kit.jose import KeySet
from kit.throttle import Limit

CLIENT = Limit("ciba-client", 300, 60)


async def admit(parts: Backchannel, client: Client) -> None:
    """Raises UnauthorizedClient, TooFast."""
    if GRANT_TYPE not in client.metadata.grant_types:
        raise UnauthorizedClient
    with said_as_oauth():
        await parts.throttle.count(parts.db, CLIENT, client.client_id)


async def ask(
    parts: Backchannel, client: Client, parameters: Parameters, *, scopes: Scopes, keys: KeySet
) -> BackchannelAuthenticationResponse:
    """``parameters`` are those of the signed request where there is one."""
    hint = hint_of(parameters)
    check_user_code(parameters)
    lifetime_s, notification_token = lifetime_of(parameters), notification_token_of(parameters, client)
    binding_message = binding_message_of(parameters)
    asked = Asked(endpoint="ciba", parameters=parameters, client=client, scopes=scopes, issuer=parts.issuer, keys=keys)
    try:
        request = validate(asked)
        await hold(parts.db, parts.audit, request, is_proven=True)
    except AuthorizationError as error:
        raise RequestRefused(error) from None
    if "openid" not in request.scopes:
        raise InvalidScope("scope: openid is missing")
    # The person comes last, so that a request that is wrong in itself tells nothing about anybody.
    citizen = await citizen_hinted(parts.db, parts.throttle, client, hint, issuer=parts.issuer, keys=keys)
    asking = Asking(
        request=request,
        binding_message=binding_message,
        lifetime_s=lifetime_s,
        notification_token=notification_token,
    )
    return await begin(parts, asking, citizen)
