"""The edge lets through what the apps take, and waits until they have cut themselves."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler

from idp.app import create_app as create_idp
from idp.lanes import LANES as IDP_LANES
from idp.settings import IdpSettings
from khizana.commands.serve import HEADERS_MAX_MS
from kit.lanes import IN_BULK, SENDER_BYTES_S, SENDER_S, Routing
from locker.app import create_app as create_locker
from locker.lanes import LANES as LOCKER_LANES
from locker.settings import LockerSettings
from tests.conftest import ROOT
from tests.locker_world import settings_for

EDGE = ROOT / "deploy" / "edge"
UNITS = {"k": 1024, "m": 1024 * 1024}


@dataclass(frozen=True)
class Location:
    how: str
    pattern: str
    body_max: int
    wait_s: float


class _Store:
    endpoint, access_key, secret_key, bucket, bucket_folder = "http://127.0.0.1", "", "", "b", None


def _bytes(text: str, default: int) -> int:
    found = re.search(r"client_max_body_size\s+(\d+)([km])", text)
    return int(found[1]) * UNITS[found[2]] if found else default


def _seconds(text: str, default: float) -> float:
    found = re.search(r"proxy_read_timeout\s+(\d+)s", text)
    return float(found[1]) if found else default


def default_of(name: str) -> str:
    found = re.search(rf"\bfill {name} .*:-(\w+)\}}", (EDGE / "start.sh").read_text(encoding="utf-8"))
    assert found is not None
    return found[1]


def hosts() -> dict[str, list[Location]]:
    """By the name of its variable: what each host of the edge passes on."""
    text = re.sub(r"#.*", "", (EDGE / "nginx.conf").read_text(encoding="utf-8"))
    text = text.replace("@ANSWER_MAX_S@", default_of("ANSWER_MAX_S"))
    text = re.sub(r"include @HERE@/(\w+\.conf);", lambda m: (EDGE / m[1]).read_text(encoding="utf-8"), text)
    outside, *servers = re.split(r"\n    server \{", text)
    found = {}
    for server in servers:
        name = re.search(r"server_name @(\w+)@;\s*(?:ssl_|set)", server)
        if name is None:
            continue
        locations = re.findall(r"location\s+(=|~|)\s*(\S+)\s*\{(.*?proxy_pass.*?)\}", server, re.DOTALL)
        between = re.sub(r"location.*?\{.*?\}", "", server, flags=re.DOTALL)
        body_max, wait_s = _bytes(between, _bytes(outside, 0)), _seconds(between, _seconds(outside, 0))
        found[name[1]] = [
            Location(how, pattern, _bytes(block, body_max), _seconds(block, wait_s))
            for how, pattern, block in locations
        ]
    return found


def location(path: str, locations: list[Location]) -> Location | None:
    """As nginx chooses: the exact one, then the first expression, then the longest beginning."""
    for one in locations:
        if one.how == "=" and one.pattern == path:
            return one
    for one in locations:
        if one.how == "~" and re.search(one.pattern, path):
            return one
    beginnings = [one for one in locations if one.how == "" and path.startswith(one.pattern)]
    return max(beginnings, key=lambda one: len(one.pattern), default=None)


def handlers(app: Litestar) -> list[tuple[str, str, int | None]]:
    """Method, an address, and the most bytes that a body may have: None where it is counted as it streams."""
    return [
        (str(method), re.sub(r"\{[^}]*\}", "x", route.path_format), handler.resolve_request_max_body_size())
        for route in app.routes
        for handler in getattr(route, "route_handlers", ())
        if isinstance(handler, HTTPRouteHandler)
        for method in handler.http_methods
    ]


@pytest.fixture(scope="module")
def locker(tmp_path_factory: pytest.TempPathFactory) -> tuple[LockerSettings, list[tuple[str, str, int | None]]]:
    settings = settings_for("postgresql://nowhere/", _Store, tmp_path_factory.mktemp("locker"))
    return settings, handlers(create_locker(settings))


@pytest.fixture(scope="module")
def idp(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str, int | None]]:
    nowhere: dict[str, Any] = {"mode": "embedded", "database_url": "postgresql://nowhere/", "secret": "01" * 32}
    folder: Path = tmp_path_factory.mktemp("idp")
    return handlers(create_idp(IdpSettings(**nowhere, issuer="https://id.test/idp", keys_folder=folder)))


def streamed_max(settings: LockerSettings, path: str) -> int:
    if path.startswith("/v1/deposits/batches"):
        return max(settings.batch_manifest_max_bytes, settings.batch_part_max_bytes)
    if "upload" in path:
        return settings.upload_max_bytes
    if "verif" in path:
        return settings.verify_file_max_bytes
    return (
        settings.deposit_pdf_max_bytes
        + settings.deposit_json_max_bytes
        + settings.deposit_data_max_bytes
        + settings.deposit_data_signature_max_bytes
    )


def test_a_body_that_an_app_takes_passes_the_edge(locker: Any, idp: Any) -> None:
    settings, of_locker = locker
    found, small = hosts(), []
    for host, routes in (("LOCKER_HOST", of_locker), ("MTLS_HOST", of_locker), ("IDP_HOST", idp), ("MTLS_HOST", idp)):
        for method, path, body_max in routes:
            if method not in ("POST", "PUT", "PATCH"):
                continue
            wanted = streamed_max(settings, path) if body_max is None else body_max
            assert isinstance(wanted, int)
            through = location(path, found[host])
            if through is not None and through.body_max < wanted:
                small.append((host, method, path, through.body_max, wanted))
    assert small == []


def test_the_edge_waits_longer_than_an_app_works(locker: Any, idp: Any) -> None:
    """An answer of ours, with its code, comes first; what the edge gave up on is not worked on any more."""
    found, short = hosts(), []
    for host, routes, lanes in (
        ("LOCKER_HOST", locker[1], LOCKER_LANES),
        ("MTLS_HOST", locker[1], LOCKER_LANES),
        ("IDP_HOST", idp, IDP_LANES),
        ("MTLS_HOST", idp, IDP_LANES),
    ):
        routing = Routing(lanes)
        for method, path, _ in routes:
            through, lane = location(path, found[host]), routing.lane(method, path)
            if through is None:
                continue
            assert lane.limit_s is not None or lane is IN_BULK
            if through.wait_s <= (lane.limit_s or 60):
                short.append((host, method, path, through.wait_s, lane.limit_s))
    assert short == []


def test_a_sender_has_as_long_at_an_app_as_at_the_edge() -> None:
    guard = (EDGE / "guard.lua").read_text(encoding="utf-8")
    assert f"BODY_RATE_MIN = {SENDER_BYTES_S}" in guard
    assert float(default_of("BODY_MAX_S")) <= SENDER_S


def test_the_edge_gives_a_quiet_connection_up_before_an_app_does() -> None:
    upstreams = re.findall(r"upstream \w+\s+{(.*)}", (EDGE / "nginx.conf").read_text())
    assert len(upstreams) == 2
    for upstream in upstreams:
        kept = re.search(r"keepalive_timeout (\d+)s;", upstream)
        assert kept is not None
        assert int(kept[1]) < HEADERS_MAX_MS / 1_000
