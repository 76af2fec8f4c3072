"""``khizana serve verification``, started as an operator starts it, with a small country's trust in a folder."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.conftest import ROOT
from tests.locker_world import new_pki
from tests.product import free_port

_READY_MAX_S = 90.0


@dataclass(frozen=True)
class VerificationService:
    url: str
    pki: Any
    trust: Path


def trust_folder(folder: Path) -> tuple[Path, Any]:
    """The folder, and the country whose authorities stand in it."""
    pki = new_pki(folder / "pki")
    trust = folder / "trust"
    for name in ("anchors", "intermediates", "crls"):
        (trust / name).mkdir(parents=True)
    (trust / "anchors" / "root.pem").write_text(pki.root.pem)
    (trust / "intermediates" / "issuing.der").write_bytes(pki.issuing.der)
    for number, crl in enumerate(pki.crls):
        (trust / "crls" / f"{number}.crl").write_bytes(crl)
    return trust, pki


@contextmanager
def verification_service(folder: Path) -> Iterator[VerificationService]:
    trust, pki = trust_folder(folder)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environ = {name: value for name, value in os.environ.items() if not name.startswith("KHIZANA_")} | {
        "KHIZANA_MODE": "embedded",
        "KHIZANA_HOME": str(folder / "home"),
        "KHIZANA_VERIFICATION_URL": url,
        "KHIZANA_VERIFICATION_TRUST_FOLDER": str(trust),
        "KHIZANA_VERIFICATION_KEYS_FOLDER": str(folder / "keys"),
        "KHIZANA_VERIFICATION_PER_ADDRESS_PER_MINUTE": "1000",
    }
    arguments = ["serve", "verification", "--port", str(port), "--workers", "1"]
    with subprocess.Popen([sys.executable, "-m", "khizana", *arguments], cwd=ROOT, env=environ) as process:
        try:
            _wait_until_it_answers(url, process)
            yield VerificationService(url, pki, trust)
        finally:
            process.terminate()


def _wait_until_it_answers(url: str, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + _READY_MAX_S
    while time.monotonic() < end:
        assert process.poll() is None
        try:
            assert httpx.get(f"{url}/verify").status_code == 200
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("the service did not start")
