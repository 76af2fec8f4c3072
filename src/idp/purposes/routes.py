from litestar import get
from litestar.di import NamedDependency

from idp.frame import AnyRequest
from idp.problem import refusals
from idp.purposes import store
from idp.purposes.schema import Figures
from idp.wiring import Wiring
from kit.edge import address_prefix, client_address
from kit.throttle import Limit

_FIGURES = Limit("document-figures", attempts=60, per_s=60)
_MONTHS, _MAX = 12, 1_000


@get("/document-figures", operation_id="ReadDocumentFigures", responses=refusals(problems=(429, 503)))
async def document_figures(request: AnyRequest, wiring: NamedDependency[Wiring]) -> Figures:
    """For everybody: by client and month how many requests at sign-in were refused because they asked for more of
    citizens' documents than is registered. The last twelve months."""
    await wiring.throttle.count(wiring.db, _FIGURES, address_prefix(client_address(request.scope)))
    return Figures(figures=await store.figures(wiring.db, months=_MONTHS, limit=_MAX))


ROUTES = [document_figures]
