"""The server of production, and the child that ``run`` supervises: granian with bounds on what a client may hold."""

import argparse
import contextlib
import os
import re
import resource
import signal
import threading
from pathlib import Path
from typing import Any

from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.mp import MPServer

from khizana.deployment import Deployment
from khizana.home import processors
from khizana.metrics import serve_sums
from kit.health import DRAIN
from kit.settings import SettingRefused

HEADERS_MAX_MS = 10_000
HEADERS_MAX_BYTES = 65_536
CONNECTIONS_MAX = 2_048
"""Of one process. More than all lanes but the last take together: who is shed last must not wait outside for others."""
STOP_MAX_S = 20
"""For what is being answered when the server is told to stop."""
DRAIN_MAX_S = 60.0


class _Server(MPServer):
    """Told to stop, it first says at ``readyz`` that it wants no more, for ``drain_s``, and goes on answering."""

    drain_s = 0.0

    def signal_handler_interrupt(self, *arguments: Any, **named: Any) -> None:
        if self.drain_s == 0 or self._draining():
            super().signal_handler_interrupt(*arguments, **named)  # type: ignore[no-untyped-call]
            return
        self._drain_began = True
        for worker in self.wrks:
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker._id(), DRAIN)  # type: ignore[no-untyped-call]
        timer = threading.Timer(self.drain_s, super().signal_handler_interrupt)
        timer.daemon = True
        timer.start()

    def _draining(self) -> bool:
        return getattr(self, "_drain_began", False)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("which", choices=("idp", "locker", "both", "verification"))
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--metrics", metavar="HOST:PORT", help="where Prometheus asks (KHIZANA_METRICS); never public")
    parser.add_argument("--workers", type=int, default=None, help="processes (KHIZANA_WORKERS, or one a processor)")


def run(arguments: argparse.Namespace) -> int:
    # Here as well as in each worker: what is wrong is said once, with its name, before anything starts.
    deployment = Deployment(dict(os.environ))
    if arguments.which in ("idp", "both"):
        deployment.idp_settings()
    if arguments.which in ("locker", "both"):
        deployment.locker_settings()
    if not re.fullmatch(r"(?:https?://[^\s/]+/\S*)?", os.environ.get("KHIZANA_TRACES", "")):
        raise SettingRefused("KHIZANA_TRACES", "the collector's address, http://host:4318/v1/traces")
    serve_sums(os.environ, arguments.metrics)
    if arguments.which == "verification":
        # It brings the counters: they must not be there before it is said where they are kept.
        from locker.verification.standalone import check as check_verification

        check_verification(deployment.verification_settings())
    workers = arguments.workers or int(os.environ.get("KHIZANA_WORKERS") or processors())
    drain_s = float(os.environ.get("KHIZANA_DRAIN_S") or 0)
    if not 0 <= drain_s <= DRAIN_MAX_S:
        raise SettingRefused("KHIZANA_DRAIN_S", f"seconds, at most {DRAIN_MAX_S:.0f}")
    # A process that is only just starting must not die of it.
    signal.signal(DRAIN, signal.SIG_IGN)
    connections_max = _connections_max()
    server = _Server(
        f"khizana.serve:{arguments.which}",
        factory=True,
        address=arguments.host,
        port=arguments.port,
        interface=Interfaces.ASGI,
        loop=Loops.uvloop,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=HEADERS_MAX_MS, max_buffer_size=HEADERS_MAX_BYTES),
        websockets=False,
        backlog=connections_max,
        backpressure=connections_max,
        workers=workers,
        respawn_failed_workers=True,
        respawn_interval=0.2,
        workers_kill_timeout=STOP_MAX_S,
        log_level=LogLevels.warning,
        working_dir=Path("/"),
    )
    server.drain_s = drain_s
    server.serve()
    return 0


def _connections_max() -> int:
    """As many as the system gives files for; a quarter of them is for stores and documents."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS_MAX * 4 // 3
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return CONNECTIONS_MAX if soft == resource.RLIM_INFINITY else min(CONNECTIONS_MAX, soft * 3 // 4)
