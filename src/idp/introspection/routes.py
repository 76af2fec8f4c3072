from typing import Any

import msgspec
from litestar import Response, post
from litestar.di import NamedDependency

from idp.clients.encryption import encryption_for
from idp.frame import AnyRequest
from idp.introspection.as_jwt import MEDIA_TYPE, as_jwt
from idp.introspection.introspect import introspect
from idp.parameters import of_form
from idp.problem import CLIENT_S_FORM
from idp.token.routes import NO_STORE
from idp.wiring import Wiring
from kit.direct import Answer, Asked


@post("/introspect", operation_id="Introspect", status_code=200, responses=CLIENT_S_FORM)
async def introspect_token(request: AnyRequest, wiring: NamedDependency[Wiring]) -> Response[Any]:
    """RFC 7662 §2."""
    return (await answer_introspection(request, wiring)).response()


async def answer_introspection(request: Asked, wiring: Wiring) -> Answer:
    client, answer = await introspect(
        wiring.client_authentication,
        wiring.token_endpoint.store,
        request.headers,
        await of_form(request),
        keys=wiring.keys.current(),
        secrets=wiring.secrets,
        scopes=await wiring.scopes.current(),
    )
    if not _wants_jwt(request):
        return Answer(body=msgspec.json.encode(answer), headers=NO_STORE)
    encryption = await encryption_for(wiring.key_sets, client, "introspection")
    signed = await as_jwt(
        answer, client, keys=wiring.keys.current(), issuer=wiring.settings.issuer, encryption=encryption
    )
    return Answer(body=signed.encode(), media_type=MEDIA_TYPE, headers=NO_STORE)


def _wants_jwt(request: Asked) -> bool:
    """RFC 9701 §4"""
    accepted = request.headers.get("accept", "").lower().split(",")
    return MEDIA_TYPE in {media_type.split(";", 1)[0].strip() for media_type in accepted}


ROUTES = [introspect_token]
DIRECT = {("POST", "/idp/introspect"): answer_introspection}
