"""Who calls, as a dependency of a handler that names the scope it needs: ``opt={"scope": "documents:deposit"}``."""

from typing import Any

from litestar import Request
from litestar.di import NamedDependency

from locker.access.bearer import CitizenCaller, ClientCaller
from locker.wiring import Wiring


async def client(request: Request[Any, Any, Any], wiring: NamedDependency[Wiring]) -> ClientCaller:
    return await wiring.bearer.client(request, scope=_scope(request))


async def citizen(request: Request[Any, Any, Any], wiring: NamedDependency[Wiring]) -> CitizenCaller:
    return await wiring.bearer.citizen(request, scope=_scope(request))


def _scope(request: Request[Any, Any, Any]) -> str:
    scope: str = request.route_handler.opt["scope"]
    return scope
