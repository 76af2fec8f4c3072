"""Every linter, then every test. All of them run even where one fails; pytest's closing line is the last one."""

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from khizana.home import ROOT, processors
from khizana.say import say

PASSES_ON = True
BIN = Path(sys.executable).parent
LINTERS: dict[str, tuple[str, ...]] = {
    "ruff check": ("ruff", "check", "."),
    "ruff format": ("ruff", "format", "--check", "."),
    "mypy": ("mypy",),
    "lint-imports": ("lint-imports",),
}
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
INSTALL_MAX_S = 600
LINTER_MAX_S = 900


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pytest", nargs="*", help="arguments for pytest; with any, the linters are left out")


def run(arguments: argparse.Namespace) -> int:
    wanted = list(arguments.pytest)
    linted = True if wanted else lint()
    install_missing()
    environ = {**os.environ, "KHIZANA_TEST_CHROMIUM": _find_chromium() or ""}
    # One more than processors: a quarter of the time, a test waits for a browser or for a server that starts.
    command = [str(BIN / "pytest"), "-n", str(processors() + 1), "--dist", "loadfile", *wanted]
    if not linted:
        say("a linter found something, see above; the tests run all the same")
    sys.stdout.flush()
    tested = subprocess.run(command, cwd=ROOT, env=environ, stdin=subprocess.DEVNULL).returncode
    return 0 if linted and tested == 0 else 1


@dataclass(frozen=True)
class Linting:
    name: str
    process: subprocess.Popen[str]
    started: float


def lint() -> bool:
    started = time.monotonic()
    # All at once: mypy alone takes longer than the rest together.
    running = [
        Linting(
            name,
            subprocess.Popen(
                [str(BIN / command[0]), *command[1:]],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            ),
            started,
        )
        for name, command in LINTERS.items()
    ]
    outcomes = [_passed(linting) for linting in running]
    return all(outcomes)


def _passed(linting: Linting) -> bool:
    try:
        said, _ = linting.process.communicate(timeout=LINTER_MAX_S)
    except subprocess.TimeoutExpired:
        linting.process.kill()
        said, _ = linting.process.communicate()
    passed = linting.process.returncode == 0
    say(f"{linting.name}: {'passed' if passed else 'FAILED'}")
    if not passed:
        say(said.rstrip())
    return passed


def install_missing() -> None:
    """Debian's packages of what the tests start for real, where the machine allows it without asking anybody."""
    missing = [package for package, there in WANTED.items() if not there()]
    if not missing:
        return
    if os.geteuid() == 0 and _is_debian() and shutil.which("apt-get"):
        # Where services are started, these packages would start one.
        served = Path("/run/systemd/system").exists()
        wanted = [one for one in missing if not (served and ("nginx" in one or "clamav" in one))]
        say(f"installing Debian's packages for the tests: {', '.join(wanted)}")
        _install(wanted)
    for package in missing:
        if not WANTED[package]():
            say(f"tests with {package}: SKIPPED, because it is not here; install the package {package} to run them")


def find_program(name: str) -> str | None:
    """Also where only an administrator's PATH looks."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/opt/homebrew/bin")


def _find_chromium() -> str | None:
    for name in (os.environ.get("KHIZANA_TEST_CHROMIUM"), *CHROMIUM_NAMES):
        path = shutil.which(name) if name else None
        # Ubuntu's package is a stub that asks for a snap: only what runs counts.
        if path and subprocess.run([path, "--version"], capture_output=True, timeout=60).returncode == 0:
            return path
    return None


def _install(packages: list[str]) -> None:
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ("apt-get", "update", "--quiet"),
        ("apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *packages),
    ):
        try:
            done = subprocess.run(
                command, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=INSTALL_MAX_S
            )
        except (subprocess.TimeoutExpired, OSError) as fault:
            say(f"{' '.join(command)}: {fault}")
            return
        if done.returncode:
            say(f"{' '.join(command)} failed: {done.stderr.strip()[-500:]}")
            return


WANTED: dict[str, Callable[[], object]] = {
    "chromium": _find_chromium,
    "nginx-light": lambda: find_program("nginx"),
    "libnginx-mod-http-lua": lambda: Path("/usr/lib/nginx/modules/ngx_http_lua_module.so").exists(),
    "softhsm2": lambda: find_program("softhsm2-util"),
    "clamav-daemon": lambda: find_program("clamd"),
    "libfaketime": lambda: any(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")),
    "libimage-exiftool-perl": lambda: find_program("exiftool"),
    "ceph-mon": lambda: find_program("ceph-mon"),
    "ceph-osd": lambda: find_program("ceph-osd"),
    "ceph-common": lambda: find_program("ceph"),
    "radosgw": lambda: find_program("radosgw"),
}


def _is_debian() -> bool:
    try:
        lines = Path("/etc/os-release").read_text().splitlines()
    except OSError:
        return False
    return "ID=debian" in lines
