"""The ASGI applications that granian's workers load: one of the apps, or both behind one small dispatcher.

Both in one process is how the embedded product runs; the wire between them is then a transport in memory, and nothing
else differs: the locker discovers, fetches keys and introspects as it would over the network.
"""

import asyncio
import ctypes
import gc
import os
import signal
import ssl
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal

import httpx
from litestar.types import ASGIApp, Receive, Send

from idp.app import create_app as create_idp
from idp.settings import IdpSettings
from khizana.deployment import Deployment
from kit import tracing
from kit.edge import log_json_lines
from kit.health import drain_on_signal
from locker.app import create_app as create_locker
from locker.settings import LockerSettings
from locker.verification.standalone import create_standalone

Which = Literal["idp", "locker", "both", "verification"]

_PR_SET_PDEATHSIG = 1
_OF_IDP = ("/idp", "/.well-known/oauth-authorization-server/idp", "/.well-known/openid-configuration/idp")


def idp() -> ASGIApp:
    _start("idp")
    return _settled(create_idp(_settings().idp_settings()))


def locker() -> ASGIApp:
    _start("locker")
    transport = _transport(os.environ.get("KHIZANA_CA_FILE"))
    return _settled(create_locker(_settings().locker_settings(), idp_transport=transport))


def verification() -> ASGIApp:
    _start("verification")
    return create_standalone(_settings().verification_settings())


def _transport(ca_file: str | None) -> httpx.AsyncBaseTransport | None:
    """The network; with the state's own certification authority, where its hosts have certificates of that."""
    return None if ca_file is None else httpx.AsyncHTTPTransport(verify=ssl.create_default_context(cafile=ca_file))


def both() -> ASGIApp:
    _start("both")
    return _settled(dispatcher(_settings().idp_settings(), _settings().locker_settings()))


def _settled(app: ASGIApp) -> ASGIApp:
    """What stands now stands for good: the collector need not look at it again with each request's leftovers."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
    return app


def dispatcher(idp_settings: IdpSettings, locker_settings: LockerSettings) -> ASGIApp:
    provider: Any = create_idp(idp_settings)
    wire = httpx.ASGITransport(app=provider, client=("127.0.0.1", 0))
    return Dispatcher(provider, create_locker(locker_settings, idp_transport=wire))


class Dispatcher:
    """By path: the provider under ``/idp`` and at its well-known addresses (RFC 8414 §3.1), the locker elsewhere."""

    def __init__(self, provider: ASGIApp, other: ASGIApp) -> None:
        self._provider = provider
        self._other = other

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live((self._provider, self._other), scope, receive, send)
            return
        path: str = scope["path"]
        ours = path.startswith("/idp/") or any(path == prefix or path.startswith(f"{prefix}/") for prefix in _OF_IDP)
        await (self._provider if ours else self._other)(scope, receive, send)


async def _live(apps: Sequence[ASGIApp], scope: Any, receive: Receive, send: Any) -> None:
    """One server's lifespan for several apps: started in order, stopped in reverse; one that fails stops the start."""
    await receive()
    started: list[_Lifespan] = []
    for app in apps:
        one = _Lifespan(app, scope)
        failure = await one.start()
        if failure is not None:
            for earlier in reversed(started):
                await earlier.stop()
            await send({"type": "lifespan.startup.failed", "message": failure})
            return
        started.append(one)
    await send({"type": "lifespan.startup.complete"})
    await receive()
    for one in reversed(started):
        await one.stop()
    await send({"type": "lifespan.shutdown.complete"})


class _Lifespan:
    def __init__(self, app: ASGIApp, scope: Any) -> None:
        self._inbox: asyncio.Queue[Any] = asyncio.Queue(2)
        self._outbox: asyncio.Queue[Any] = asyncio.Queue(2)
        self._call: Callable[..., Any] = app
        self._scope = dict(scope)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> str | None:
        """None, or why it did not start."""
        self._task = asyncio.create_task(self._run())
        await self._inbox.put({"type": "lifespan.startup"})
        said = await self._outbox.get()
        return None if said["type"] == "lifespan.startup.complete" else str(said.get("message", "did not start"))

    async def stop(self) -> None:
        await self._inbox.put({"type": "lifespan.shutdown"})
        await self._outbox.get()

    async def _run(self) -> None:
        try:
            await self._call(self._scope, self._inbox.get, self._outbox.put)
        except Exception as fault:
            await self._outbox.put({"type": "lifespan.startup.failed", "message": repr(fault)})


def _settings() -> Deployment:
    return Deployment(dict(os.environ))


def _start(which: Which) -> None:
    """What each worker process does first."""
    log_json_lines(access=os.environ.get("KHIZANA_MODE") != "embedded")
    if endpoint := os.environ.get("KHIZANA_TRACES"):
        tracing.start_otlp(endpoint, service=f"khizana-{which}")
    die_with_parent()
    drain_on_signal()


def die_with_parent() -> None:
    """A worker whose server was killed would keep the port and serve an old version."""
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGKILL)
