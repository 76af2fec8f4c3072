import asyncio
from typing import Any

import httpx
import pytest

from khizana.serve import Dispatcher


class App:
    """The least that is an application, and a witness of what it was told."""

    def __init__(self, name: str, told: list[str], *, fails: bool = False) -> None:
        self.name, self.told, self.fails = name, told, fails

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            if self.fails:
                raise RuntimeError("no database")
            self.told.append(f"{self.name} up")
            await send({"type": "lifespan.startup.complete"})
            await receive()
            self.told.append(f"{self.name} down")
            await send({"type": "lifespan.shutdown.complete"})
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": self.name.encode()})


@pytest.mark.parametrize(
    ("path", "app"),
    [
        ("/", "locker"),
        ("/idp", "idp"),
        ("/idp/token", "idp"),
        ("/idpx", "locker"),
        ("/idp/.well-known/openid-configuration", "idp"),
        ("/.well-known/oauth-authorization-server/idp", "idp"),
        ("/.well-known/oauth-authorization-server", "locker"),
        ("/.well-known/openid-configuration/idp", "idp"),
        ("/.well-known/jwks.json", "locker"),
        ("/v1/documents", "locker"),
    ],
)
async def test_each_path_reaches_its_app_as_it_stands(path: str, app: str) -> None:
    told: list[str] = []
    transport = httpx.ASGITransport(app=Dispatcher(App("idp", told), App("locker", told)))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        assert (await client.get(path)).text == app


async def lifespan(dispatcher: Dispatcher) -> list[str]:
    inbox: asyncio.Queue[Any] = asyncio.Queue()
    sent: list[str] = []

    async def send(message: Any) -> None:
        sent.append(message["type"])
        if message["type"] == "lifespan.startup.complete":
            await inbox.put({"type": "lifespan.shutdown"})

    await inbox.put({"type": "lifespan.startup"})
    await asyncio.wait_for(dispatcher({"type": "lifespan", "asgi": {}, "state": {}}, inbox.get, send), 5)
    return sent


async def test_both_start_in_order_and_stop_in_reverse() -> None:
    told: list[str] = []
    sent = await lifespan(Dispatcher(App("idp", told), App("locker", told)))  # type: ignore[arg-type]
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert told == ["idp up", "locker up", "locker down", "idp down"]


async def test_one_that_does_not_start_stops_the_other_and_the_start() -> None:
    told: list[str] = []
    sent = await lifespan(Dispatcher(App("idp", told), App("locker", told, fails=True)))  # type: ignore[arg-type]
    assert sent == ["lifespan.startup.failed"]
    assert told == ["idp up", "idp down"]
