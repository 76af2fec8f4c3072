from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from idp.clients import store
from idp.wiring import Wiring
from kit.errors import NotFound

_CLIENT_ID_MAX = 64


@get("/logos/{client_id:str}", operation_id="ClientLogo", include_in_schema=False)
async def logo(wiring: NamedDependency[Wiring], client_id: FromPath[str]) -> Response[bytes]:
    """Our copy of what the client named: no page of ours loads anything from an address of somebody else's (O-31)."""
    row = await store.select_logo(wiring.db, client_id) if len(client_id) <= _CLIENT_ID_MAX else None
    if row is None:
        raise NotFound
    return Response(
        row["body"],
        media_type=row["media_type"],
        headers={"Cache-Control": "private, max-age=300", "Content-Security-Policy": "default-src 'none'; sandbox"},
    )


ROUTES = [logo]
