"""``khizana <verb>``: data as JSON on standard output, progress and errors on standard error.

Exit codes: 0 done, 1 something checked is not right, 2 refused and one line says why, 70 a fault of ours,
130 interrupted.
"""

import argparse
import importlib
import os
import re
import sys
import traceback
from collections.abc import Mapping
from typing import Protocol, cast

from khizana.embedded.child import NotStarted
from khizana.home import Home
from khizana.say import say
from kit.errors import Refusal
from kit.settings import SettingRefused

VERBS: Mapping[str, str] = {
    "run": "set everything up and serve the demo at http://localhost:8000",
    "test": "run the linters and every test",
    "bench": "measure speed; one JSON line a measure",
    "demo": "fill a running product with the demo country",
    "doctor": "check database, object store, keys, migrations and clock",
    "serve": "serve idp, locker, both or verification alone, with settings from the environment",
    "worker": "send messages, sweep what has expired, finish what was interrupted",
    "reconcile": "compare all rows with all objects, both ways",
    "backup": "back up the embedded product, its keys apart",
    "restore": "a backup into an empty home",
    "sweep": "one round of the worker's sweeping",
    "migrate": "bring the database to this version",
    "openapi": "write openapi/*.json, or check that they are up to date",
    "citizen": "enrol citizens, show one, change a state",
    "mandate": "record, end and list who may act for whom",
    "client": "register, update, list and show clients of the provider",
    "officer": "add, disable and list officers, sign one request of theirs",
    "upstream": "register, list and disable other providers that citizens may sign in through",
    "ciba": "list, approve and deny back-channel requests, for tests of relying parties",
    "resource": "register a resource server and its scopes",
    "purpose": "register, list and withdraw what a relying party may ask citizens for",
    "administration": "register an administration, suspend or resume it",
    "type": "register a document type",
    "trust": "add, withdraw and show trust anchors; follow, sync and show trust lists",
    "keys": "list and rotate signing keys",
    "deposit": "deposit one sealed PDF as an administration, or a folder of them",
    "seal": "have one PDF sealed as an administration",
    "sealing": "make seal keys, enable and disable the sealing for an administration",
    "erase": "erase a citizen from the locker: key first, then rows and objects",
    "hold": "place, release and list legal holds on documents",
    "retention": "remove documents that are past the retention of their type",
    "audit": "verify the log of accesses, publish it again, rotate its key, go on after a restored backup",
    "jobs": "list background jobs, try dead ones again",
    "webhook": "add, list, rotate, replay, disable, enable and test webhooks",
    "archive": "show and renew the long-term copies and their evidence records",
}


class Verb(Protocol):
    """A module of ``khizana.commands``."""

    def arguments(self, parser: argparse.ArgumentParser) -> None: ...
    def run(self, arguments: argparse.Namespace) -> int: ...


class CommandRefused(Exception):
    """A command that cannot be done, for a reason that the caller can change."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


_DASHED = re.compile(r"-(?!-|h$|\d*\.?\d+$).+")
"""Neither an option nor a number."""


def main(argv: list[str]) -> int:
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(_overview())
        return 0 if argv else 2
    name, *rest = argv
    if name not in VERBS:
        say(f"error: unknown-command: {name!r} is none of: {', '.join(VERBS)}")
        return 2
    verb = cast("Verb", importlib.import_module(f"khizana.commands.{name}"))
    parser = argparse.ArgumentParser(
        prog=f"khizana {name}", description=VERBS[name][:1].upper() + VERBS[name][1:] + "."
    )
    verb.arguments(parser)
    if getattr(verb, "PASSES_ON", False) and rest not in (["-h"], ["--help"]):
        # Its arguments are another program's, options and all.
        rest = ["--", *rest]
    elif rest and _DASHED.fullmatch(rest[-1]):
        # An identifier is random, and one of 64 begins so. No command has an option of one dash but -h.
        rest = [*rest[:-1], "--", rest[-1]]
    try:
        # argparse itself leaves with 2 for arguments that it does not know.
        return verb.run(parser.parse_args(rest))
    except Refusal as refusal:
        say(f"error: {refusal.code}: {refusal.title}{f' ({refusal.detail})' if refusal.detail else ''}")
        return 2
    except CommandRefused as refused:
        say(f"error: {refused.code}: {refused.sentence}")
        return 2
    except SettingRefused as refused:
        say(f"error: setting: {refused}")
        return 2
    except NotStarted as refused:
        say(f"error: not-started: {refused}")
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output has enough of it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as fault:
        say(f"error: fault: {type(fault).__name__}: {str(fault).splitlines()[0] if str(fault) else ''}")
        _keep_trace(name)
        return 70


def _keep_trace(name: str) -> None:
    """For whoever mends it: in the home, or where there is none to write to, on standard error."""
    trace = f"khizana {name}\n{traceback.format_exc()}\n"
    log = Home.of(os.environ).folder / "faults.log"
    os.umask(0o077)
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as file:
            file.write(trace)
    except OSError:
        say(trace)
    else:
        say(f"more in {log}")


def _overview() -> str:
    width = max(map(len, VERBS))
    lines = [f"  {name:<{width}}  {what}" for name, what in VERBS.items()]
    return "Usage: khizana <command> …, khizana <command> --help\n\n" + "\n".join(lines)
