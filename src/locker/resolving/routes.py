from typing import Any

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from kit.edge import address_prefix, wants_page
from kit.throttle import Limit
from locker.documents.schema import name_in
from locker.home.frame import AnyRequest, locale, page, prober
from locker.problem import problems
from locker.resolving.resolve import resolve
from locker.wiring import Wiring

_PROBES = Limit("resolve", attempts=60, per_s=60)
_HEADERS = {"Vary": "Accept", "X-Robots-Tag": "noindex"}


@get("/d/{uri:str}", operation_id="ResolveDocument", responses=problems(404, 429, 503), tags=["verification"])
async def resolve_document(uri: FromPath[str], request: AnyRequest, wiring: NamedDependency[Wiring]) -> Response[Any]:
    """What anybody may know of a document by its printed address: that it exists and who issued it.

    Case, hyphens and spaces in the identifier do not matter; I and L are read as 1, O as 0.
    """
    await wiring.throttle.count(wiring.db, _PROBES, address_prefix(prober(request)))
    found = await resolve(wiring.db, uri)
    if not wants_page(request):
        return Response(found, media_type="application/json", headers=_HEADERS)
    spoken = locale(request)
    return page(
        request,
        wiring,
        "locker/resolving/document.html",
        headers=_HEADERS,
        name=name_in(found.type_names, spoken),
        issuer=name_in(found.administration_names, spoken),
        document=found,
    )


ROUTES: list[Any] = [resolve_document]
