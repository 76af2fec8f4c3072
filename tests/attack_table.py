"""A pytest plugin that writes ``docs/attacks.md`` from what the attack tests did.

    ./khizana test -p tests.attack_table tests/attacks

A test is named by the row of the catalogue that it runs: ``test_o_10_code_replay_…``; several may run one row.
"""

import re
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TABLE = ROOT / "docs" / "attacks.md"
NAME = re.compile(r"test_((?:[a-z]_[0-9]{2}_)+)(\w+)")
GROUPS = {
    "O": "OpenID Connect and OAuth",
    "L": "Login, credentials, enrolment",
    "S": "Sessions and browser",
    "V": "Vault: access and integrity",
    "K": "Share links and verification",
    "U": "Uploads and parsers",
    "G": "Signatures and validation",
    "A": "Administrations, officers, audit",
    "F": "Infrastructure faults",
    "P": "Privacy",
    "D": "Load and denial of service",
}

_outcomes: dict[str, list[str]] = defaultdict(list)


def rows_of(function: str) -> tuple[list[str], str] | None:
    """The ids in a test's name, and the rest of it as a sentence."""
    found = NAME.fullmatch(function)
    if found is None:
        return None
    ids = [f"{letter.upper()}-{number}" for letter, number in re.findall(r"([a-z])_([0-9]{2})_", found[1])]
    return ids, found[2].replace("_", " ")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    path, _, function = report.nodeid.partition("::")
    function = function.split("[", 1)[0].rpartition("::")[2]
    if "attacks/" not in path or (report.when != "call" and report.passed):
        return
    _outcomes[f"{path}::{function}"].append(report.outcome)


def pytest_sessionfinish(session: pytest.Session) -> None:
    # With several processes only the one that collects their reports writes.
    if hasattr(session.config, "workerinput") or not _outcomes:
        return
    TABLE.write_text(_document(), encoding="utf-8")


def _document() -> str:
    by_row: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
    for name, outcomes in sorted(_outcomes.items()):
        path, _, function = name.partition("::")
        found = rows_of(function)
        if found is None:
            continue
        worst = "failed" if "failed" in outcomes else "skipped" if "skipped" in outcomes else "passed"
        many = f" ({len(outcomes)} cases)" if len(outcomes) > 1 else ""
        for row in found[0]:
            by_row[row].append((found[1] + many, path, worst))
    lines = [
        "# Attacks and what happens",
        "",
        "Each row is an attack or a fault that the tests in `tests/attacks` carry out against the product. This",
        "page is written by `./khizana test -p tests.attack_table tests/attacks`; do not edit it.",
    ]
    for letter, title in GROUPS.items():
        rows = sorted(row for row in by_row if row.startswith(letter))
        if not rows:
            continue
        lines += ["", f"## {letter}. {title}", "", "| id | test | file | result |", "|---|---|---|---|"]
        for row in rows:
            lines += [f"| {row} | {text} | `{path}` | {result} |" for text, path, result in by_row[row]]
    return "\n".join(lines) + "\n"
