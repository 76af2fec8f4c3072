"""The examples for integrators, run as their READMEs say, against the running product."""

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.product import Product, free_port

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = ROOT / "examples"
PATIENCE_S = 120


@pytest.fixture(scope="module")
def javascript() -> Path:
    """The examples with what ``npm ci`` installs, kept from one run to the next."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("SKIPPED: the JavaScript examples need node and npm")
    lock = (EXAMPLES / "javascript" / "package-lock.json").read_bytes()
    folder = ROOT / ".khizana" / f"examples-{hashlib.sha256(lock).hexdigest()[:12]}"
    if not (folder / "node_modules" / "openid-client").is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(EXAMPLES / "javascript" / name, folder)
        subprocess.run(["npm", "ci", "--ignore-scripts"], cwd=folder, check=True, capture_output=True, timeout=300)
    for file in (EXAMPLES / "javascript").glob("*.mjs"):
        shutil.copy(file, folder)
    return folder


@contextmanager
def killed_when_late(process: "subprocess.Popen[str]") -> Iterator[None]:
    timer = threading.Timer(PATIENCE_S, process.kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        process.kill()
        process.wait()


def environ(product: Product, work: Path, redirect_uri: str) -> dict[str, str]:
    return {
        **os.environ,
        "ISSUER": product.issuer,
        "LOCKER": product.url,
        "REDIRECT_URI": redirect_uri,
        "KEY_FILE": str(work / "key"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "NO_PROXY": "*",
    }


def registered(product: Product, command: list[str], env: dict[str, str], work: Path) -> Path:
    """What the example prints is what the operator registers; the answer is what the example reads."""
    wanted = subprocess.run([*command, "register"], env=env, capture_output=True, text=True, check=True, timeout=60)
    answer = product.khizana("client", "register", "--file", "-", stdin=wanted.stdout)
    assert answer.returncode == 0, answer.stderr
    file = work / "client.json"
    file.write_text(answer.stdout)
    return file


def signed_in(
    product: Product, command: list[str], work: Path, *, citizen: int, has_purpose: bool = False
) -> dict[str, Any]:
    """Run the example, be the citizen who opens the address, and return what it prints in the end."""
    redirect_uri = f"http://localhost:{free_port()}/callback"
    env = environ(product, work, redirect_uri)
    client = registered(product, command, env, work)
    if has_purpose:
        wanted = [*command, "purpose", str(client)]
        purpose = subprocess.run(wanted, env=env, capture_output=True, text=True, check=True, timeout=60)
        answer = product.khizana("purpose", "register", "--file", "-", stdin=purpose.stdout)
        assert answer.returncode == 0, answer.stderr
    process = started([*command, str(client)], env)
    with killed_when_late(process):
        address = indented(process)
        browser = product.browser()
        page = browser.follow(browser.get(address))
        back = browser.sign_in(page, product.citizens[citizen], until=redirect_uri)
        location = back.headers["location"]
        assert urlsplit(location).netloc == urlsplit(redirect_uri).netloc
        assert httpx.get(location, trust_env=False).status_code == 200
        return learned(product, process)


def started(command: list[str], env: dict[str, str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def indented(process: "subprocess.Popen[str]") -> str:
    """What the example shows: its one line that is set in."""
    assert process.stdout is not None
    line = next((line.strip() for line in process.stdout if line.startswith("  ")), None)
    assert line is not None, process.communicate()[1]
    return line


def learned(product: Product, process: "subprocess.Popen[str]") -> dict[str, Any]:
    """What the example prints in the end."""
    told, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, errors
    found: dict[str, Any] = json.loads(told)
    assert found["claims"]["iss"] == product.issuer
    assert found["userinfo"]["sub"] == found["claims"]["sub"]
    assert found["userinfo"]["name"]
    return found


def test_python_basic(product: Product, tmp_path: Path) -> None:
    told = signed_in(product, [sys.executable, str(EXAMPLES / "python" / "basic.py")], tmp_path, citizen=1)
    assert told["token_type"] == "Bearer"
    assert told["userinfo"]["email"]


def test_python_fapi2(product: Product, tmp_path: Path) -> None:
    told = signed_in(product, [sys.executable, str(EXAMPLES / "python" / "fapi2.py")], tmp_path, citizen=2)
    assert told["token_type"] == "DPoP"


def test_python_documents(product: Product, tmp_path: Path) -> None:
    command = [sys.executable, str(EXAMPLES / "python" / "documents.py")]
    told = signed_in(product, command, tmp_path, citizen=1, has_purpose=True)
    [document] = told["documents"]
    assert document["type"] == "RESIDENCE"
    disclosed = [json.loads(base64url(part))[1] for part in document["credential"].split("~")[1:-1]]
    assert sorted(disclosed) == ["address", "commune", "full_name"]
    browser = product.browser("en")
    page = browser.follow(browser.get("/sign-in?return_to=/wallet/history"))
    assert "Took what you allowed it at sign-in" in browser.sign_in(page, product.citizens[1]).text


def base64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_javascript_wallet(product: Product, javascript: Path, tmp_path: Path) -> None:
    told = signed_in(product, ["node", str(javascript / "wallet.mjs")], tmp_path, citizen=3)
    assert (told["token_type"], told["rotated"]) == ("dpop", True)


def test_javascript_fapi2(product: Product, javascript: Path, tmp_path: Path) -> None:
    told = signed_in(product, ["node", str(javascript / "fapi2.mjs")], tmp_path, citizen=4)
    assert (told["token_type"], told["rotated"]) == ("dpop", False)


def test_javascript_fapi2_ms(product: Product, javascript: Path, tmp_path: Path) -> None:
    told = signed_in(product, ["node", str(javascript / "fapi2-ms.mjs")], tmp_path, citizen=5)
    assert told["token_type"] == "dpop"


def test_javascript_device(product: Product, javascript: Path, tmp_path: Path) -> None:
    command, env = ["node", str(javascript / "device.mjs")], environ(product, tmp_path, "")
    client = registered(product, command, env, tmp_path)
    process = started([*command, str(client)], env)
    with killed_when_late(process):
        user_code = indented(process)
        browser = product.browser()
        page = browser.submit(browser.get("/idp/device"), user_code=user_code)
        page = browser.sign_in(page, product.citizens[6])
        assert user_code in page.text
        page = browser.submit(page, decision="go-on")
        browser.submit(page, decision="allow")
        assert learned(product, process)["token_type"] == "dpop"


def test_javascript_ciba(product: Product, javascript: Path, tmp_path: Path) -> None:
    command, env = ["node", str(javascript / "ciba.mjs")], environ(product, tmp_path, "")
    client, citizen = registered(product, command, env, tmp_path), product.citizens[6]
    process = started([*command, str(client), citizen.uid], env)
    with killed_when_late(process):
        indented(process)
        browser = product.browser()
        page = browser.follow(browser.get("/idp/account/requests"))
        page = browser.submit(browser.sign_in(page, citizen))
        assert "Letter 4711" in page.text
        page = browser.submit(page, decision="go-on")
        browser.submit(page, decision="allow")
        assert learned(product, process)["token_type"] == "dpop"


@pytest.mark.skipif(
    not all(map(shutil.which, ("bash", "curl", "openssl"))), reason="SKIPPED: the shell example needs curl and openssl"
)
def test_shell_machine(product: Product, tmp_path: Path) -> None:
    command = ["bash", str(EXAMPLES / "shell" / "machine.sh")]
    env = environ(product, tmp_path, "")
    client = registered(product, command, env, tmp_path)

    def run(*words: str) -> dict[str, Any]:
        done = subprocess.run([*command, str(client), *words], env=env, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        answered: dict[str, Any] = json.loads(done.stdout)
        return answered

    # Several, because r and s are shorter than 32 bytes now and then.
    for _ in range(3):
        assert run("subjects:resolve")["token_type"] == "DPoP"
    assert run("resolve", product.citizens[0].uid).keys() == {"sub"}


def test_the_lock_of_the_examples_names_no_host() -> None:
    lock = json.loads((EXAMPLES / "javascript" / "package-lock.json").read_text())
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert packages
    assert all(package["integrity"].startswith("sha512-") for package in packages.values())
    assert not any("resolved" in package for package in packages.values())
