"""Keeps child programs of ours running: what dies starts again, at growing intervals; at the end all stop in order."""

import contextlib
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from khizana.embedded import child
from khizana.say import say

RESTART_FIRST_S = 0.1
RESTART_MAX_S = 10.0
STEADY_S = 30.0
"""After that long the next death is a new story."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Server(Protocol):
    """An embedded server."""

    def alive(self) -> bool: ...
    def said(self) -> str: ...
    def stop(self) -> None: ...


class Program:
    """``python -m khizana …`` as a child."""

    def __init__(self, words: Sequence[str], *, log: Path, environ: Mapping[str, str]) -> None:
        self._log = log
        command = [*child.dying_with_us("KILL"), sys.executable, "-P", "-m", "khizana", *words]
        self._process = child.spawn(command, log=log, environ=environ)

    @property
    def pid(self) -> int:
        return self._process.pid

    def alive(self) -> bool:
        return self._process.poll() is None

    def said(self) -> str:
        return child.last_lines(self._log)

    def stop(self) -> None:
        child.end(self._process, (signal.SIGTERM,), each_s=25)


S = TypeVar("S", bound=Server)


class Kept(Generic[S]):
    """One server under supervision: how it is made, and when it may be made again."""

    def __init__(self, name: str, make: Callable[[], S]) -> None:
        self.name = name
        self._make = make
        self._wait_s = RESTART_FIRST_S
        self.server = make()
        self._since = time.monotonic()
        self._not_before = 0.0

    def look(self) -> None:
        if self.server.alive():
            return
        now = time.monotonic()
        if self._not_before == 0.0:
            if now - self._since > STEADY_S:
                self._wait_s = RESTART_FIRST_S
            say(f"{self.name} stopped and starts again in {self._wait_s:.1f} s")
            self._not_before = now + self._wait_s
            self._wait_s = min(self._wait_s * 2, RESTART_MAX_S)
        if now >= self._not_before:
            # Its lock and its folder go back before the next one takes them.
            self.server.stop()
            try:
                self.server = self._make()
            except child.NotStarted as failure:
                say(str(failure))
                self._not_before = now + self._wait_s
                self._wait_s = min(self._wait_s * 2, RESTART_MAX_S)
                return
            self._since, self._not_before = time.monotonic(), 0.0


class Stopping(Exception):
    """SIGINT or SIGTERM came."""


@contextlib.contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Inside, they raise Stopping; afterwards they do nothing, so that a second Ctrl-C cannot cut the end short."""

    def stop(number: int, _: object) -> None:
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        raise Stopping(signal.Signals(number).name)

    for number in _SIGNALS:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)
