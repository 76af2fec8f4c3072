import msgspec
from litestar import Response, post
from litestar.di import NamedDependency

from idp.clients.authenticate import credentials_of
from idp.frame import AnyRequest
from idp.parameters import of_form
from idp.problem import CLIENT_S_FORM
from idp.refusals import InvalidRequest, UnsupportedGrantType
from idp.token.authorization_code import authorization_code
from idp.token.ciba import ciba
from idp.token.client_credentials import client_credentials
from idp.token.device_code import device_code
from idp.token.grants import TokenRequest
from idp.token.refresh_token import refresh_token
from idp.token.schema import TokenResponse
from idp.token.token_exchange import token_exchange
from idp.wiring import Wiring
from kit import metrics
from kit.direct import Answer, Asked
from kit.edge import caller

GRANTS = {
    "authorization_code": authorization_code,
    "refresh_token": refresh_token,
    "client_credentials": client_credentials,
    "urn:ietf:params:oauth:grant-type:device_code": device_code,
    "urn:ietf:params:oauth:grant-type:token-exchange": token_exchange,
    "urn:openid:params:grant-type:ciba": ciba,
}
NO_STORE = ((b"cache-control", b"no-store"), (b"pragma", b"no-cache"))


@post("/token", operation_id="Token", status_code=200, responses=CLIENT_S_FORM)
async def token(request: AnyRequest, wiring: NamedDependency[Wiring]) -> Response[TokenResponse]:
    """The token endpoint (RFC 6749 §3.2)."""
    return (await answer_token(request, wiring)).response()


async def answer_token(request: Asked, wiring: Wiring) -> Answer:
    parameters = await of_form(request)
    grant_type = parameters.get("grant_type")
    if grant_type is None:
        raise InvalidRequest("grant_type is missing")
    grant = GRANTS.get(grant_type)
    if grant is None:
        raise UnsupportedGrantType
    proof = wiring.proofs.of(request, path="/token")
    response = await grant(
        wiring.token_endpoint,
        TokenRequest(
            parameters=parameters,
            credentials=credentials_of(request.headers, parameters),
            scopes=await wiring.scopes.current(),
            proof=proof,
        ),
    )
    metrics.granted(grant_type, caller().profile)
    headers = (*NO_STORE, (b"dpop-nonce", wiring.proofs.nonces.current().encode())) if proof else NO_STORE
    return Answer(body=msgspec.json.encode(response), headers=headers)


ROUTES = [token]
DIRECT = {("POST", "/idp/token"): answer_token}
