from litestar import Response, get
from litestar.di import NamedDependency

from locker.access.sessions import SESSION_COOKIE, citizen_of
from locker.home.frame import AnyRequest, page
from locker.wiring import Wiring


@get("/", operation_id="ShowHome")
async def home(request: AnyRequest, wiring: NamedDependency[Wiring]) -> Response[str]:
    citizen = await citizen_of(wiring.db, request.cookies.get(SESSION_COOKIE), wiring.sessions)
    return page(request, wiring, "locker/home/home.html", citizen=citizen)


ROUTES = [home]
