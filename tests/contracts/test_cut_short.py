"""Whoever sends half a body and hangs up writes no line that tells of a fault, at none of our endpoints."""

import json
import logging
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from khizana.commands.openapi import FOLDER
from tests.citizen_browser import open_citizen_world
from tests.conftest import Dsns
from tests.provider import running_provider

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONTENT_TYPES = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b")


def taking_bodies(app: str) -> list[tuple[str, str]]:
    described = json.loads((FOLDER / f"{app}.json").read_text(encoding="utf-8"))
    return [
        (method.upper(), re.sub(r"\{[^}]*\}", "x", path))
        for path, item in described["paths"].items()
        for method in item
        if method in ("post", "put", "patch", "delete")
    ]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def apps(dsns: Dsns, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[str, Any]]:
    async with (
        running_provider(dsns.idp, dsns.owner) as idp,
        open_citizen_world(dsns, s3, tmp_path_factory.mktemp("locker")) as locker,
    ):
        yield {"idp": idp.transport.app, "locker": locker.app}


async def hung_up(app: Any, method: str, path: str, content_type: str) -> int:
    """The status, which nobody reads any more."""
    sent: list[Any] = []
    coming = [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]

    async def receive() -> Any:
        return coming.pop(0) if len(coming) > 1 else coming[0]

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [
            (b"host", b"localhost:8000"),
            (b"content-type", content_type.encode()),
            (b"content-length", b"1000"),
        ],
        "client": ("192.0.2.1", 50_000),
        "server": ("localhost", 8_000),
    }
    await app(scope, receive, send)
    return int(sent[0]["status"])


@pytest.mark.parametrize("name", ["idp", "locker"])
async def test_who_hangs_up_in_the_middle_of_a_body_makes_no_fault(
    apps: dict[str, Any], name: str, caplog: pytest.LogCaptureFixture
) -> None:
    statuses = {}
    with caplog.at_level(logging.ERROR):
        for method, path in taking_bodies(name):
            for content_type in CONTENT_TYPES:
                statuses[method, path, content_type] = await hung_up(apps[name], method, path, content_type)
    assert {asked for asked, status in statuses.items() if status >= 500} == set()
    assert [record.message for record in caplog.records if record.name == "khizana.fault"] == []
    # Some were waiting for the rest, or this would show nothing.
    assert list(statuses.values()).count(400) > 10
