"""Writes ``docs/attacks.md``: which test carries out which attack or fault of the catalogue.

    .venv/bin/python -m tests.attack_table

A test is named by its rows, wherever it stands: ``test_o_10_code_replay_…``; several may carry out one row.
"""

import ast
import re
from collections import defaultdict
from pathlib import Path

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
HEAD = """# Attacks and what happens

Each row is an attack or a fault, and a test that carries it out against the product; all of them run with
`./khizana test`. This page is written by `python -m tests.attack_table`; do not edit it.
"""


def rows_of(function: str) -> tuple[list[str], str] | None:
    """The ids in a test's name, and the rest of it as a sentence."""
    found = NAME.fullmatch(function)
    if found is None:
        return None
    ids = [f"{letter.upper()}-{number}" for letter, number in re.findall(r"([a-z])_([0-9]{2})_", found[1])]
    return ids, found[2].replace("_", " ")


def carried_out() -> dict[str, list[str]]:
    """Row of the catalogue → lines of the table, in the order of files and of tests in them."""
    by_row: dict[str, list[str]] = defaultdict(list)
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            found = rows_of(node.name) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else None
            rows, said = found or ([], "")
            for row in rows:
                by_row[row].append(f"| {row} | {said} | `{file.relative_to(ROOT)}` |")
    return by_row


def document() -> str:
    by_row, parts = carried_out(), [HEAD]
    for letter, title in GROUPS.items():
        rows = sorted(row for row in by_row if row.startswith(letter))
        lines = [line for row in rows for line in by_row[row]]
        parts.append("\n".join([f"## {letter}. {title}", "", "| id | test | file |", "|---|---|---|", *lines, ""]))
    return "\n".join(parts)


if __name__ == "__main__":
    TABLE.write_text(document(), encoding="utf-8")
