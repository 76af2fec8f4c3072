"""openapi/{idp,locker}.json: what programs may rely on. Written by this command, compared by a test."""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from idp.app import create_app as create_idp
from idp.settings import IdpSettings
from khizana.answered import App, error_codes, problem_codes
from khizana.home import ROOT
from khizana.say import answer, say
from kit.problem import PROBLEM
from locker.app import create_app as create_locker
from locker.settings import LockerSettings

FOLDER = ROOT / "openapi"
_EXAMPLE = "https://locker.example"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 if a file is out of date")


def run(arguments: argparse.Namespace) -> int:
    stale = []
    for name, text in descriptions().items():
        file = FOLDER / f"{name}.json"
        if file.exists() and file.read_text(encoding="utf-8") == text:
            continue
        stale.append(file.name)
        if not arguments.check:
            FOLDER.mkdir(exist_ok=True)
            file.write_text(text, encoding="utf-8")
    answer({"stale" if arguments.check else "written": stale})
    if stale and arguments.check:
        say("run: ./khizana openapi")
    return 1 if stale and arguments.check else 0


def descriptions() -> dict[str, str]:
    """App → its OpenAPI document, in one order of keys so that a change shows as a change."""
    with tempfile.TemporaryDirectory() as folder:
        nowhere = {"mode": "embedded", "database_url": "postgresql://nowhere/", "secret": "0123456789abcdef" * 4}
        idp = create_idp(
            IdpSettings(**nowhere, issuer=f"{_EXAMPLE}/idp", keys_folder=Path(folder)),  # type: ignore[arg-type]
            describe=True,
        )
        locker = create_locker(
            LockerSettings(
                **nowhere,  # type: ignore[arg-type]
                issuer=f"{_EXAMPLE}/idp",
                locker_url=_EXAMPLE,
                keys_folder=Path(folder),
                s3_endpoint="http://127.0.0.1",
                s3_access_key="nobody",
                s3_secret_key="nothing",
            ),
            describe=True,
        )
        return {"idp": _text(idp, "idp"), "locker": _text(locker, "locker")}


def _text(app: Any, name: App) -> str:
    schema = app.openapi_schema.to_schema()
    for item in schema["paths"].values():
        for operation in item.values():
            _tell_refusals(operation["responses"])
    _tell_codes(schema["components"]["schemas"], name)
    encoded = msgspec.json.encode(schema, order="deterministic")
    return msgspec.json.format(encoded, indent=2).decode() + "\n"


def _tell_refusals(responses: dict[str, Any]) -> None:
    """Each under its media type. Where the framework finds that a request cannot be read, it is we who say so."""
    for status, response in responses.items():
        (media_type, content), *_ = response.get("content", {}).items() or [("", {})]
        schema = content.get("schema", {})
        if schema.get("description") == "Validation Exception":
            said = {"$ref": "#/components/schemas/Problem"}
            responses[status] = {"content": {PROBLEM: {"schema": said}}, "description": "The request cannot be read."}
        elif int(status) >= 400 and "oneOf" in schema:
            kinds = {one["$ref"].rpartition("/")[2]: one for one in schema["oneOf"]}
            response["content"] = {
                media_type: {"schema": kinds.pop("OAuthError")},
                PROBLEM: {"schema": kinds.pop("Problem")},
            }


def _tell_codes(schemas: dict[str, Any], name: App) -> None:
    """Not ``enum``: a client that was made of it would fail at a code that is added."""
    for schema, member, told in (("Problem", "code", problem_codes), ("OAuthError", "error", error_codes)):
        if schema in schemas:
            schemas[schema]["properties"][member] |= {
                "description": "Stable; more are added. docs/refusals.md says of each what a program should do.",
                "x-extensible-enum": told(name),
            }
