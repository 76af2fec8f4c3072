"""How ``run`` says that its server is not there: one that ended at once, one that is slow only after long."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from khizana.commands import run
from khizana.embedded.child import NotStarted
from khizana.home import Home
from khizana.supervise import Kept
from tests.product import free_port


class Server:
    """A process that answers nobody."""

    def __init__(self, seconds: float) -> None:
        self._process = subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({seconds})"])

    def alive(self) -> bool:
        return self._process.poll() is None

    def said(self) -> str:
        return "what it said"

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


def wait_for(server: Server, folder: Path) -> str:
    kept = Kept("the server", lambda: server)
    try:
        with pytest.raises(NotStarted) as refused:
            run._wait_until_ready(Home(folder, free_port()), kept)  # type: ignore[arg-type]
    finally:
        server.stop()
    return str(refused.value)


def test_a_server_that_ended_is_not_waited_for(tmp_path: Path) -> None:
    began = time.monotonic()
    assert "did not start:\nwhat it said" in wait_for(Server(0), tmp_path)
    assert time.monotonic() - began < run.READY_MAX_S / 4


def test_a_server_that_is_slow_is_waited_for_and_not_said_to_have_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run.READY_MAX_S >= 180
    monkeypatch.setattr(run, "READY_MAX_S", 0.5)
    assert "is not ready after" in wait_for(Server(60), tmp_path)
