"""While a new version is rolled out the one before it works on: on tables that are a migration ahead."""

import re
from pathlib import Path

from tests.conftest import ROOT

FILES = sorted((ROOT / "migrations").glob("*/*.sql"))
TAKES = re.compile(
    r"""\bDROP\s+(?:TABLE|COLUMN|FUNCTION|VIEW|SCHEMA)\b
      | \bRENAME\s+(?:TO|COLUMN|CONSTRAINT)\b
      | \bALTER\s+COLUMN\s+\w+\s+(?:SET\s+NOT\s+NULL|DROP\s+DEFAULT|(?:SET\s+DATA\s+)?TYPE)\b
      | \bADD\s+(?:PRIMARY\s+KEY|UNIQUE|EXCLUDE)\b
      | \bREVOKE\s+(?!ALL\s+ON\s+(?:FUNCTION|SCHEMA|DATABASE)).*\bFROM\s+(?:idp|locker)\b""",
    re.VERBOSE | re.IGNORECASE,
)
ADDED = re.compile(r"\bADD\s+COLUMN\s+(?:IF\s+NOT\s+EXISTS\s+)?(\w+)\s+([^,;]*)", re.IGNORECASE)
# What was taken when nobody used it yet, and why it could be.
TAKEN = {
    "idp/0063_no_client_assertion.sql": "proof_seen took its place twenty migrations earlier",
    "locker/0087_reference_digests.sql": "references were not served yet",
    "locker/0132_erased_stay_erased.sql": "no version ever dated a line of the audit itself",
}


# From these on indexes are made while others write; before, tables were small.
CONCURRENT_FROM = {"idp": "0077", "locker": "0148"}
# ONLY makes none for the partitions: those are made one by one, and attached.
INDEX = re.compile(
    r"\bCREATE\s+(?:UNIQUE\s+)?INDEX\s+(?!CONCURRENTLY)(?:IF\s+NOT\s+EXISTS\s+)?\w+\s+ON\s+(?!ONLY)([\w.]+)",
    re.IGNORECASE,
)
TABLE = re.compile(r"\bCREATE\s+TABLE\s+([\w.]+)", re.IGNORECASE)


def of(file: Path) -> str:
    text = re.sub(r"--[^\n]*", "", file.read_text(encoding="utf-8"))
    return re.sub(r"'(?:[^']|'')*'", "''", text)


def test_f_31_a_migration_takes_nothing_that_the_version_before_it_uses() -> None:
    """To take away is a migration of a later release, when nothing that still runs writes or reads it."""
    taking = []
    for file in FILES:
        text = of(file)
        # A row that the version before writes does not speak of a new column.
        needed = [name for name, rest in ADDED.findall(text) if re.search(r"NOT\s+NULL(?!.*\bDEFAULT)", rest, re.I)]
        taking += [(f"{file.parent.name}/{file.name}", what) for what in (*TAKES.findall(text), *needed)]
    assert {name for name, _ in taking} == TAKEN.keys(), taking


def test_f_31_an_index_of_a_table_that_has_rows_is_made_while_others_write() -> None:
    stopping = {
        (file.name, table)
        for file in FILES
        if file.name[:4] >= CONCURRENT_FROM[file.parent.name]
        for table in set(INDEX.findall(of(file))) - set(TABLE.findall(of(file)))
    }
    assert stopping == set()
