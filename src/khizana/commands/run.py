"""Set everything up and serve both apps, with PostgreSQL, the object store and the worker under one roof."""

import argparse
import asyncio
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from khizana.cli import CommandRefused
from khizana.deployment import Deployment, described_by
from khizana.embedded import child
from khizana.embedded.child import HeldLock, NotStarted
from khizana.embedded.postgres import EmbeddedPostgres
from khizana.embedded.s3 import EmbeddedS3
from khizana.home import Home, processors
from khizana.say import say
from khizana.supervise import Kept, Program, Stopping, stopped_by_signals

LOOK_EVERY_S = 0.2
FREE_PORT_MAX_S = 5.0
READY_MAX_S = 240.0
"""A machine with much other work may take minutes; a server that ended is not waited for."""
_READY_PATHS = ("/idp/.well-known/openid-configuration", "/.well-known/jwks.json")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--no-demo", action="store_true", help="start empty: no demo country")


def run(arguments: argparse.Namespace) -> int:
    if described_by(os.environ):
        raise CommandRefused("not-embedded", "run is for the embedded product; in production use: khizana serve")
    home = Home.of(os.environ)
    # Everything that we and our children make is for us alone.
    os.umask(0o077)
    with stopped_by_signals(), ExitStack() as stack:
        try:
            _run(home, stack, demo=not arguments.no_demo)
        except Stopping as stopping:
            say(f"stopping ({stopping})")
    say("stopped; everything is kept in " + str(home.folder))
    return 0


def _run(home: Home, stack: ExitStack, *, demo: bool) -> None:
    home.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = HeldLock.take(home.folder / "run.lock")
    if lock is None:
        raise CommandRefused("running", f"it runs already, open {home.url}")
    stack.callback(lock.release)
    _wait_for_port(home.port)

    started = time.monotonic()
    say(f"starting PostgreSQL and the object store in {home.folder}")
    postgres = _kept(stack, "PostgreSQL", lambda: EmbeddedPostgres.start(home.folder))
    s3 = _kept(stack, "the object store", lambda: EmbeddedS3.start(home.folder))

    def environ() -> dict[str, str]:
        return home.environ(os.environ, postgres=postgres.server.address, s3=s3.server.kept)

    _prepare(environ())
    workers = os.environ.get("KHIZANA_WORKERS") or str(min(2, processors()))
    serve_words = ("serve", "both", "--port", str(home.port), "--workers", workers)

    def serve() -> Program:
        # Documents pass through here on their way to the judge; a killed server leaves some, unsealed.
        passing = home.folder / "tmp"
        shutil.rmtree(passing, ignore_errors=True)
        passing.mkdir(mode=0o700)
        program = Program(serve_words, log=home.folder / "serve.log", environ={**environ(), "TMPDIR": str(passing)})
        child.write_private(home.folder / "serve.json", json.dumps({"pid": program.pid, "url": home.url}))
        return program

    serving = _kept(stack, "the server", serve)
    _wait_until_ready(home, serving)
    working = _kept(
        stack,
        "the worker",
        lambda: Program(("worker", "--metrics", ""), log=home.folder / "worker.log", environ=environ()),
    )
    told: dict[str, Any] | None = _demo_data(home, environ()) if demo else None
    say(f"ready after {time.monotonic() - started:.1f} s")
    tell(home, told)

    given = environ()
    while True:
        for kept in (postgres, s3, serving, working):
            kept.look()
        if environ() != given:
            # The object store found its port taken and moved.
            given = environ()
            serving.server.stop()
            working.server.stop()
        time.sleep(LOOK_EVERY_S)


def _kept(stack: ExitStack, name: str, make: Any) -> Any:
    kept = Kept(name, make)
    stack.callback(lambda: kept.server.stop())
    return kept


def _prepare(environ: dict[str, str]) -> None:
    # Here and not above: the servers are starting while these modules load.
    from khizana.prepare import prepare

    asyncio.run(prepare(Deployment(environ)))


def _wait_for_port(port: int) -> None:
    def free() -> bool:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
        return True

    # Workers of a server that was just killed need a moment to see it.
    if not child.wait_until(free, FREE_PORT_MAX_S):
        raise CommandRefused(
            "port-taken",
            f"another program listens on port {port}; stop it, or choose: KHIZANA_PORT=8080 ./khizana run",
        )


def _wait_until_ready(home: Home, serving: Kept[Program]) -> None:
    def settled() -> bool:
        return not serving.server.alive() or all(_answers(home.port, path) for path in _READY_PATHS)

    ready = child.wait_until(settled, READY_MAX_S)
    if not serving.server.alive():
        raise NotStarted(f"the server did not start:\n{serving.server.said()}")
    if not ready:
        raise NotStarted(f"the server is not ready after {READY_MAX_S:.0f} s; is this machine very busy?")


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path, headers={"Host": f"localhost:{port}"})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _demo_data(home: Home, environ: dict[str, str]) -> dict[str, Any]:
    """Once: the marker stands in the home, with what there is to tell about the demo."""
    marker = home.folder / "demo.json"
    # It tells addresses, and the port may be another one today.
    if _told_in(marker).get("locker") != home.url:
        if not marker.exists():
            say("making the demo country, once: administrations, citizens and about forty sealed documents")
        made = subprocess.run(
            [*child.dying_with_us("KILL"), sys.executable, "-P", "-m", "khizana", "demo"],
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        if made.returncode:
            say("the demo country is not complete; the next start goes on with it")
            return {}
        child.write_private(marker, made.stdout)
    return _told_in(marker)


def _told_in(marker: Path) -> dict[str, Any]:
    try:
        told = json.loads(marker.read_text())
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def tell(home: Home, told: dict[str, Any] | None) -> None:
    """What to open, and as whom to sign in."""
    lines = ["", f"  Open      {home.url}", f"  Provider  {home.issuer}", ""]
    told = told or {}
    if told.get("sign_ins"):
        lines.append("  Demo sign-ins: identifier, password, secret for an authenticator app")
        lines += [
            f"    {one['uid']}  {one['password']:<20}  {one['totp_secret']}  {one['name']}" for one in told["sign_ins"]
        ]
        lines += ["", f"  A code may also come by message; messages are shown at {told['outbox']}", ""]
    for one in told.get("to_activate", []):
        lines += [f"  To activate at {home.issuer}/activate: {one['uid']}, code {one['activation_code']}", ""]
    for one in told.get("shares", []):
        lines.append(f"  A link for {one['recipient']}: {one['url']}{_pin(one)}")
    if told:
        lines += ["", f"  The sealed documents, to verify at {home.url}/verify, are in {told['folder']}", ""]
    lines.append("  Ctrl-C stops it; everything is kept.")
    print("\n".join(lines), flush=True)


def _pin(share: dict[str, Any]) -> str:
    return f" (PIN {share['pin']})" if share["pin"] else ""
