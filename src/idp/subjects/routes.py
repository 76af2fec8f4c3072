from litestar import post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from idp.clients.standing import StandingRequest, StandingResponse, standing
from idp.frame import AnyRequest
from idp.problem import WITH_BODY, refusals
from idp.subjects.resolve import resolve
from idp.subjects.resolve_several import resolve_several
from idp.subjects.schema import ResolveRequest, ResolveResponse, ResolveSeveralRequest, ResolveSeveralResponse
from idp.token.accept import AcceptedToken, accept
from idp.userinfo.refusals import InvalidToken
from idp.wiring import Wiring

_PATH = "/subjects/resolve"
_PATH_OF_CLIENTS = "/clients/standing"
_PATH_OF_SEVERAL = "/subjects/resolve-several"


@post(
    _PATH,
    operation_id="ResolveSubject",
    status_code=200,
    responses=refusals(oauth=(400, 401, 403), problems=(400, 403, 404, 422, *WITH_BODY)),
)
async def resolve_subject(
    request: AnyRequest, data: JSONBody[ResolveRequest], wiring: NamedDependency[Wiring]
) -> ResolveResponse:
    """From a unique identifier to the caller's own ``sub``, for clients with a registered legal ground."""
    token = await _for_itself(request, wiring, path=_PATH)
    return await resolve(wiring.db, wiring.audit, wiring.secrets, token.client, data, scopes=_scopes(token))


@post(
    _PATH_OF_SEVERAL,
    operation_id="ResolveSubjects",
    status_code=200,
    responses=refusals(oauth=(400, 401, 403), problems=(400, 403, 422, *WITH_BODY)),
)
async def resolve_subjects(
    request: AnyRequest, data: JSONBody[ResolveSeveralRequest], wiring: NamedDependency[Wiring]
) -> ResolveSeveralResponse:
    """The same for at most a hundred at once; each stands in its citizen's history."""
    token = await _for_itself(request, wiring, path=_PATH_OF_SEVERAL)
    return await resolve_several(
        wiring.db, wiring.audit, wiring.secrets, token.client, data.subjects, scopes=_scopes(token)
    )


async def _for_itself(request: AnyRequest, wiring: Wiring, *, path: str) -> AcceptedToken:
    """Only a client that acts for itself resolves: not an app in a citizen's name."""
    token = await accept(wiring.access_tokens, request, path=path, scope="subjects:resolve")
    if token.claims["sub"] != token.client_id:
        raise InvalidToken
    return token


def _scopes(token: AcceptedToken) -> frozenset[str]:
    return frozenset(str(token.claims["scope"]).split())


@post(
    _PATH_OF_CLIENTS,
    operation_id="ClientsStanding",
    status_code=200,
    responses=refusals(oauth=(400, 401, 403), problems=(400, 403, *WITH_BODY)),
)
async def clients_standing(
    request: AnyRequest, data: JSONBody[StandingRequest], wiring: NamedDependency[Wiring]
) -> StandingResponse:
    """Which of these clients are active, for a resource server that tells them something of its own accord."""
    token = await _for_itself(request, wiring, path=_PATH_OF_CLIENTS)
    return await standing(wiring.db, token.client, data.client_ids)


ROUTES = [resolve_subject, resolve_subjects, clients_standing]
