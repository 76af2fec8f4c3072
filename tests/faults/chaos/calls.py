"""One request at one server, and whether its answer is one that is written down."""

import asyncio
import json
import re
import time
from pathlib import Path
from typing import Any

import httpx
import msgspec

from tests.faults.chaos.place import Place
from tests.product import ROOT

UNDECIDED = {429, 502, 503, 507}
"""Nothing was promised: the same again, later."""
IN_FLIGHT = {"idempotency-key-in-flight", "deposit-overtaken", "upload-overtaken", "seal-overtaken"}
ANYWHERE = {503}
GONE_S = 0.3
OF_LINKS = {200, 303, 400, 401, 403, 404, 409, 410, 422, 429, 502, 503, 507}
"""What pages and links answer: their refusals are not listed one by one."""


class Calls:
    def __init__(self, place: Place, log: Path) -> None:
        self._place = place
        self._figures = place.figures
        self._log = log.open("a", encoding="utf-8")
        self._started = time.monotonic()
        self._documented = [
            (method.upper(), re.compile(re.sub(r"\{[^}]+\}", r"[^/]+", path)), {int(one) for one in said["responses"]})
            for path, methods in json.loads((ROOT / "openapi" / "locker.json").read_text())["paths"].items()
            for method, said in methods.items()
            if method in ("get", "post", "put", "patch", "delete") and path.startswith("/v1/")
        ]

    def close(self) -> None:
        self._log.close()

    def note(self, event: str, **more: Any) -> None:
        line = {"s": round(time.monotonic() - self._started, 3), "event": event, **more}
        self._log.write(msgspec.json.encode(line).decode() + "\n")
        self._log.flush()

    def fail(self, what: str) -> None:
        if what not in self._figures.broken:
            self.note("BROKEN", what=what)
            self._figures.broken.append(what)

    def must(self, holds: bool, what: str) -> None:
        if not holds:
            self.fail(what)

    async def send(
        self, who: str, node: int, method: str, path: str, *, token: str | None = None, **parts: Any
    ) -> httpx.Response | None:
        """None: the connection broke, so it was done or was not."""
        if token is not None:
            parts["headers"] = {"Authorization": f"Bearer {token}", **parts.get("headers", {})}
        began = time.monotonic()
        try:
            answer = await self._place.https[node].request(method, path, **parts)
        except httpx.HTTPError as fault:
            self._figures.unanswered += 1
            self._figures.count(type(fault).__name__)
            self.note(type(fault).__name__, who=who, node=node, request=f"{method} {path}", took=_since(began))
            # Nobody asks a server that is gone a hundred times a second.
            await asyncio.sleep(GONE_S)
            return None
        self._figures.count(str(answer.status_code))
        code = _code(answer)
        self.note(
            str(answer.status_code), who=who, node=node, request=f"{method} {path}", code=code, took=_since(began)
        )
        self._judge(method, path, answer, code)
        return answer

    def _judge(self, method: str, path: str, answer: httpx.Response, code: str) -> None:
        status, request = answer.status_code, f"{method} {path}"
        if status == 500:
            self.fail(f"{request}: 500 {answer.text[:200]}")
            return
        if path not in ("/livez", "/readyz") and status not in self._allowed(method, path):
            self.fail(f"{request}: {status} {code} is written nowhere")
        if status >= 400 and path not in ("/livez", "/readyz"):
            self.must(code != "", f"{request}: {status} without a code: {answer.text[:200]}")
        if status == 503 and path != "/readyz":
            waits = answer.headers.get("retry-after", "")
            self.must(waits.isdigit() and int(waits) > 0, f"{request}: 503 without Retry-After: {answer.headers}")

    def _allowed(self, method: str, path: str) -> set[int]:
        bare = path.partition("?")[0]
        for known, pattern, statuses in self._documented:
            if known == method and pattern.fullmatch(bare):
                return statuses | ANYWHERE
        return OF_LINKS


def _since(began: float) -> float:
    return round(time.monotonic() - began, 3)


def _code(answer: httpx.Response) -> str:
    if answer.status_code < 400:
        return ""
    try:
        said = answer.json()
    except ValueError:
        return ""
    return str(said.get("code") or said.get("error") or "") if isinstance(said, dict) else ""


def is_final(answer: httpx.Response | None) -> bool:
    """Else the same again says what became of it."""
    return (
        answer is not None
        and answer.status_code < 500
        and answer.status_code not in UNDECIDED
        and not (answer.status_code == 409 and _code(answer) in IN_FLIGHT)
    )


def code_of(answer: httpx.Response | None) -> str:
    return "" if answer is None else _code(answer)
