"""Where Prometheus asks: a listener of its own, never the one that the public reaches (A-16).

Each server process counts in files of one folder; the process that started them serves the sums.
"""

import atexit
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from kit.settings import SettingRefused

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_LISTEN = re.compile(r"(?:(?P<host>[\w.-]+|\[[0-9a-fA-F:]+\]):)?(?P<port>\d{1,5})", re.ASCII)
_OF_PROCESS = re.compile(r"gauge_live\w+_(\d+)\.db")


def listener(environ: Mapping[str, str], said: str | None = None) -> tuple[str, int] | None:
    """Host and port of ``--metrics``, or of KHIZANA_METRICS; without a host it is this machine alone."""
    text = environ.get("KHIZANA_METRICS", "") if said is None else said
    if not text:
        return None
    found = _LISTEN.fullmatch(text)
    if found is None or not 0 < int(found["port"]) < 65_536:
        raise SettingRefused("KHIZANA_METRICS", "host:port, or a port on this machine")
    return (found["host"] or "127.0.0.1").strip("[]"), int(found["port"])


def serve_sums(environ: Mapping[str, str], said: str | None = None) -> None:
    """Of the processes that this one is about to start. Before anything here or there counts."""
    at = listener(environ, said)
    if at is None:
        return
    folder = tempfile.mkdtemp(prefix="khizana-metrics-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ[FOLDER] = folder
    from prometheus_client import CollectorRegistry, start_http_server
    from prometheus_client.multiprocess import MultiProcessCollector

    class Living(MultiProcessCollector):
        """What a process that died said of its present is no longer so; what it counted stays."""

        def collect(self) -> Any:
            _forget_the_dead(Path(folder))
            return super().collect()  # type: ignore[no-untyped-call]

    registry = CollectorRegistry()
    Living(registry, path=folder)  # type: ignore[no-untyped-call]
    _listen(lambda: start_http_server(at[1], addr=at[0], registry=registry))


def serve_own(environ: Mapping[str, str], said: str | None = None) -> None:
    """Of this process alone."""
    at = listener(environ, said)
    if at is not None:
        from prometheus_client import start_http_server

        _listen(lambda: start_http_server(at[1], addr=at[0]))


def _listen(start: Callable[[], object]) -> None:
    try:
        start()
    except OSError as fault:
        raise SettingRefused("KHIZANA_METRICS", f"nothing can listen there: {fault.strerror}") from None


def _forget_the_dead(folder: Path) -> None:
    for file in folder.glob("gauge_live*.db"):
        named = _OF_PROCESS.fullmatch(file.name)
        if named is not None and not _lives(int(named[1])):
            file.unlink(missing_ok=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
