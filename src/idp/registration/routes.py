from typing import Any

from litestar import Response, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath

from idp.frame import AnyRequest
from idp.problem import WITH_BODY, refusals
from idp.registration import manage
from idp.registration.parts import Registrar
from idp.registration.register import register
from idp.userinfo.refusals import NoToken
from idp.wiring import Wiring

_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


def registrar_of(wiring: Wiring) -> Registrar:
    return Registrar(
        db=wiring.db,
        audit=wiring.audit,
        fetcher=wiring.fetcher,
        issuer=wiring.settings.issuer,
        production=wiring.settings.mode == "production",
        keys=wiring.keys,
    )


@post(
    "/register",
    operation_id="RegisterClient",
    status_code=201,
    responses=refusals(oauth=(400, 401, 429), problems=WITH_BODY),
)
async def register_client(request: AnyRequest, wiring: NamedDependency[Wiring]) -> Response[dict[str, Any]]:
    """RFC 7591 §3.1, with an initial access token."""
    token = _token(request)
    answer = await register(registrar_of(wiring), token, await request.body())
    return Response(answer, status_code=201, headers=_NO_STORE)


@get("/register/{client_id:str}", operation_id="ReadClient", responses=refusals(oauth=(401, 429)))
async def read_client(
    request: AnyRequest, wiring: NamedDependency[Wiring], client_id: FromPath[str]
) -> Response[dict[str, Any]]:
    """RFC 7592 §2.1, with the registration access token."""
    token = _token(request)
    return Response(await manage.read(registrar_of(wiring), client_id, token), headers=_NO_STORE)


@put(
    "/register/{client_id:str}",
    operation_id="ReplaceClient",
    status_code=200,
    responses=refusals(oauth=(400, 401, 429), problems=WITH_BODY),
)
async def replace_client(
    request: AnyRequest, wiring: NamedDependency[Wiring], client_id: FromPath[str]
) -> Response[dict[str, Any]]:
    """RFC 7592 §2.2"""
    token = _token(request)
    answer = await manage.replace(registrar_of(wiring), client_id, token, await request.body())
    return Response(answer, headers=_NO_STORE)


@delete("/register/{client_id:str}", operation_id="DeleteClient", status_code=204, responses=refusals(oauth=(401, 429)))
async def delete_client(request: AnyRequest, wiring: NamedDependency[Wiring], client_id: FromPath[str]) -> None:
    """RFC 7592 §2.3"""
    token = _token(request)
    await manage.delete(registrar_of(wiring), client_id, token)


def _token(request: AnyRequest) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise NoToken
    return token.strip()


ROUTES = [register_client, read_client, replace_client, delete_client]
