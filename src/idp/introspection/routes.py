from typing import Any

from litestar import Response, post
from litestar.di import NamedDependency

from idp.clients.encryption import encryption_for
from idp.clients.identify import identify
from idp.frame import AnyRequest, headers_of
from idp.introspection.as_jwt import MEDIA_TYPE, as_jwt
from idp.introspection.introspect import introspect
from idp.parameters import of_form
from idp.refusals import InvalidClient, InvalidRequest
from idp.token.routes import NO_STORE
from idp.wiring import Wiring


@post("/introspect", operation_id="Introspect", status_code=200)
async def introspect_token(request: AnyRequest, wiring: NamedDependency[Wiring]) -> Response[Any]:
    """RFC 7662 §2. Public clients have no secret to protect the answer with, so they get none."""
    parameters = await of_form(request)
    client = await identify(wiring.client_authentication, headers_of(request), parameters, path="/introspect")
    if client.public:
        raise InvalidClient("a public client cannot introspect")
    if "token" not in parameters:
        raise InvalidRequest("token is missing")
    answer = await introspect(
        wiring.db,
        parameters["token"],
        client,
        keys=wiring.keys.current(),
        issuer=wiring.settings.issuer,
        resources=frozenset({client.metadata.resource}) if client.metadata.resource else frozenset(),
    )
    if not _wants_jwt(request):
        return Response(answer, headers=NO_STORE)
    encryption = await encryption_for(wiring.key_sets, client, "introspection")
    signed = await as_jwt(
        answer, client, keys=wiring.keys.current(), issuer=wiring.settings.issuer, encryption=encryption
    )
    return Response(signed.encode(), media_type=MEDIA_TYPE, headers=NO_STORE)


def _wants_jwt(request: AnyRequest) -> bool:
    """RFC 9701 §4"""
    accepted = request.headers.get("accept", "").lower().split(",")
    return MEDIA_TYPE in {media_type.split(";", 1)[0].strip() for media_type in accepted}


ROUTES = [introspect_token]
