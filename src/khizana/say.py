"""Words for the person at the terminal go to standard error; standard output is for data."""

import sys
from typing import Any

import msgspec


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def answer(value: Any) -> None:
    """One JSON value on standard output: indented for eyes, programs do not mind."""
    print(msgspec.json.format(msgspec.json.encode(value), indent=2).decode(), flush=True)


def answer_line(value: Any) -> None:
    """One line of NDJSON."""
    print(msgspec.json.encode(value).decode(), flush=True)


class Progress:
    """A bar where somebody looks, a line now and then where nobody does."""

    WIDTH = 30
    DRAWINGS_MAX = 1_000

    def __init__(self, what: str, total: int) -> None:
        self._what, self._total, self._done, self._drawn = what, total, 0, 0
        self._tty = sys.stderr.isatty()

    def step(self, by: int = 1) -> None:
        before, self._done = self._done, self._done + by
        tenth = max(1, self._total // 10)
        if self._tty:
            if self._done == self._total or (self._done - self._drawn) * self.DRAWINGS_MAX >= self._total:
                self._draw()
        elif self._done // tenth > before // tenth or self._done == self._total:
            say(f"{self._what} {self._done}/{self._total}")

    def finish(self) -> None:
        if self._tty:
            if self._drawn != self._done:
                self._draw()
            print(file=sys.stderr, flush=True)

    def _draw(self) -> None:
        self._drawn = self._done
        filled = min(self.WIDTH, self.WIDTH * self._done // max(1, self._total))
        bar = "█" * filled + "░" * (self.WIDTH - filled)
        print(f"\r{self._what} {bar} {self._done}/{self._total}", end="", file=sys.stderr, flush=True)
