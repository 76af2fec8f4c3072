from litestar import post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from idp.frame import AnyRequest
from idp.subjects.resolve import resolve
from idp.subjects.schema import ResolveRequest, ResolveResponse
from idp.token.accept import accept
from idp.userinfo.refusals import InvalidToken
from idp.wiring import Wiring


@post("/subjects/resolve", operation_id="ResolveSubject", status_code=200)
async def resolve_subject(
    request: AnyRequest, data: JSONBody[ResolveRequest], wiring: NamedDependency[Wiring]
) -> ResolveResponse:
    """From a unique identifier to the caller's own ``sub``, for clients with a registered legal ground."""
    token = await accept(wiring.access_tokens, request, path="/subjects/resolve", scope="subjects:resolve")
    # Only a client that acts for itself resolves: not an app in a citizen's name.
    if token.claims["sub"] != token.client_id:
        raise InvalidToken
    return await resolve(
        wiring.db,
        wiring.audit,
        wiring.secrets,
        token.client,
        data,
        scopes=frozenset(str(token.claims["scope"]).split()),
    )


ROUTES = [resolve_subject]
