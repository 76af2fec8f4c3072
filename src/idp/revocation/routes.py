from litestar import Response, post
from litestar.di import NamedDependency

from idp.clients.identify import identify
from idp.frame import AnyRequest
from idp.parameters import of_form
from idp.problem import CLIENT_S_FORM
from idp.refusals import InvalidRequest
from idp.revocation.revoke import revoke
from idp.token.routes import NO_STORE
from idp.wiring import Wiring
from kit.direct import Answer, Asked


@post("/revoke", operation_id="Revoke", status_code=200, responses=CLIENT_S_FORM)
async def revoke_token(request: AnyRequest, wiring: NamedDependency[Wiring]) -> Response[bytes]:
    """RFC 7009 §2."""
    return (await answer_revocation(request, wiring)).response()


async def answer_revocation(request: Asked, wiring: Wiring) -> Answer:
    parameters = await of_form(request)
    client = await identify(wiring.client_authentication, request.headers, parameters, path="/revoke")
    if "token" not in parameters:
        raise InvalidRequest("token is missing")
    await revoke(
        wiring.db,
        wiring.audit,
        parameters["token"],
        client,
        keys=wiring.keys.current(),
        issuer=wiring.settings.issuer,
    )
    return Answer(body=b"", media_type="text/plain", headers=NO_STORE)


ROUTES = [revoke_token]
DIRECT = {("POST", "/idp/revoke"): answer_revocation}
