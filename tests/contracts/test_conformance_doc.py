"""deploy/conformance is true: what the suite's browser presses is on our pages, and the settings exist."""

import json
import re
from collections.abc import Iterator
from typing import Any

from idp.settings import IdpSettings
from tests.conftest import ROOT

FOLDER = ROOT / "deploy" / "conformance"
PAGES = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "src" / "idp").rglob("*.html"))


def commands(found: Any) -> Iterator[list[Any]]:
    match found:
        case dict():
            for name, value in found.items():
                yield from value if name == "commands" else commands(value)
        case list():
            for value in found:
                yield from commands(value)


def test_what_the_browser_presses_and_fills_in_is_there() -> None:
    script = json.loads((FOLDER / "browser.json").read_text(encoding="utf-8"))
    named = {command[2] for command in commands(script) if command[0] in ("click", "text")}
    assert {"username", "login-submit", "login-cancel", "consent-allow", "logout-confirm"} <= named
    # Boxes to tick have the names of claims.
    named = {name for name in named if not name.startswith("claim:")}
    missing = {name for name in named if f'id="{name}"' not in PAGES and f'c.field("{name}"' not in PAGES}
    assert missing == set()


def test_each_setting_of_the_page_exists() -> None:
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    known = {IdpSettings.variable(name) for name in IdpSettings.__struct_fields__}
    named = {name.removesuffix("_FILE") for name in re.findall(r"KHIZANA_IDP_[A-Z_]+", page)}
    assert named
    assert {name for name in named if name not in known and f"{name}_FILE" not in known} == set()
