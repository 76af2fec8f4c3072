"""What Prometheus is told: on a listener of its own, summed over the processes, without anything a caller sent."""

import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from khizana.metrics import listener
from kit.settings import SettingRefused
from tests.conftest import Dsns
from tests.edge import running_server
from tests.product import free_port
from tests.provider import signing_keys

ISSUER = "https://id.metrics.test/idp"


@dataclass(frozen=True)
class Served:
    url: str
    metrics: str

    def told(self) -> str:
        return httpx.get(self.metrics).text


@pytest.fixture(scope="module")
def served(dsns: Dsns) -> Iterator[Served]:
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="khizana-keys-") as folder:
        for name, pem in signing_keys().items():
            (Path(folder) / name).write_bytes(pem)
        environ = {
            "KHIZANA_MODE": "production",
            "KHIZANA_ISSUER": ISSUER,
            "KHIZANA_IDP_DATABASE_URL": dsns.idp,
            "KHIZANA_IDP_SECRET": "0123456789abcdef" * 4,
            "KHIZANA_IDP_KEYS_FOLDER": folder,
            "KHIZANA_METRICS": f"127.0.0.1:{port}",
        }
        with running_server("idp", environ, workers=2) as address:
            yield Served(f"http://{address}", f"http://127.0.0.1:{port}/metrics")


def value(told: str, line: str) -> float:
    found = re.search(rf"^{re.escape(line)} (\S+)$", told, re.MULTILINE)
    return float(found[1]) if found else 0.0


def test_requests_are_counted_by_route_and_class_over_all_processes(served: Served) -> None:
    line = 'khizana_requests_total{method="GET",route="/idp/jwks",status="2xx"}'
    before = value(served.told(), line)
    for _ in range(40):
        # Without keep-alive, so that both processes get some.
        assert httpx.get(f"{served.url}/idp/jwks").status_code == 200
    told = served.told()
    assert value(told, line) == before + 40
    assert value(told, 'khizana_request_seconds_count{route="/idp/jwks"}') >= 40
    assert value(told, 'khizana_signing_key_age_seconds{alg="ES256"}') >= 0
    assert "khizana_keys_read_age_seconds" in told
    assert 'khizana_queue{name="passwords"} 0.0' in told


def test_nothing_that_a_caller_sends_becomes_a_label(served: Served) -> None:
    secret = "s3cret-of-a-caller"
    headers = {"User-Agent": secret, "X-Forwarded-For": "203.0.113.77", "Authorization": f"Bearer {secret}"}
    httpx.request("BREW", f"{served.url}/idp/{secret}?{secret}", headers=headers)
    httpx.get(f"{served.url}/idp/userinfo", headers=headers)
    form = {"grant_type": secret, "client_id": secret, "client_secret": secret, "code": secret}
    httpx.post(f"{served.url}/idp/token", data=form, headers=headers)
    httpx.post(f"{served.url}/idp/token", data={**form, "grant_type": "authorization_code"}, headers=headers)
    told = served.told()
    assert secret not in told
    assert "203.0.113.77" not in told
    assert "BREW" not in told
    assert 'method="other"' in told


def test_a_16_metrics_are_not_on_the_listener_of_the_public(served: Served) -> None:
    assert httpx.get(f"{served.url}/metrics").status_code == 404
    assert httpx.get(f"{served.url}/idp/metrics").status_code == 404


@pytest.mark.parametrize(
    ("text", "at"),
    [("9100", ("127.0.0.1", 9100)), ("0.0.0.0:9100", ("0.0.0.0", 9100)), ("[::1]:9100", ("::1", 9100)), ("", None)],
)
def test_where_metrics_are_told(text: str, at: tuple[str, int] | None) -> None:
    assert listener({"KHIZANA_METRICS": text}) == at


@pytest.mark.parametrize("text", ["http://x", "host", "1:2:3", "99999", "a b:1"])
def test_an_address_that_is_none_stops_the_start(text: str) -> None:
    with pytest.raises(SettingRefused):
        listener({"KHIZANA_METRICS": text})
