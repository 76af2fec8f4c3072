"""The rules of the house that protect citizens; import-linter checks who may import whom."""

import ast
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

SRC = ROOT / "src"
WRITES = re.compile(r"\b(?:INSERT\s+INTO|UPDATE|DELETE\s+FROM)\s+(?:ONLY\s+)?((?:idp|locker)\.\w+)")

# Where one table is written in two places, and why.
TWO_WRITERS = {
    "idp.authorization_code": {
        # The code is born in authorization and spent in the one statement that answers the token request.
        "src/idp/authorization/store.py",
        "src/idp/token/store.py",
    },
}

# Library → where it may be imported.
SEATS = {
    "asyncpg": r"src/kit/\w+\.py|src/.*/store\.py|src/khizana/commands/doctor\.py",
    "jwt": r"src/kit/jose\.py",
    "joserfc": r"src/kit/jose\.py",
    "jose": r"src/kit/jose\.py",
    "pyhanko": r"src/locker/signatures/.*",
    "pyhanko_certvalidator": r"src/locker/signatures/.*",
    "lxml": r"src/locker/signatures/.*",
    "signxml": r"src/locker/signatures/.*",
    "webauthn": r"src/idp/authenticators/passkey\.py",
    "minio": r"src/locker/vault/.*",
    "pkcs11": r"src/kit/device\.py",
    "granian": r"src/khizana/commands/serve\.py",
}
NOT_A_NAME = {"service", "services", "utils", "util", "helpers", "helper", "models", "common", "misc"}


def python_files() -> list[Path]:
    return sorted(SRC.rglob("*.py"))


def committed() -> list[Path]:
    """Of the index, or of the folder where this is no checkout."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("SKIPPED: not a git checkout, so nobody can say which files are committed")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]


def test_each_table_is_written_in_one_store() -> None:
    writers: dict[str, set[str]] = defaultdict(set)
    for file in python_files():
        for table in WRITES.findall(file.read_text(encoding="utf-8")):
            writers[table].add(str(file.relative_to(ROOT)))
    assert writers, "the pattern finds nothing any more"
    shared = {table: files for table, files in writers.items() if len(files) > 1}
    assert shared == TWO_WRITERS
    elsewhere = {file for files in writers.values() for file in files if not file.endswith("store.py")}
    assert elsewhere == set()


# What is read there is our own: rows, sealed texts, files of this machine.
OWN_JSON = {
    "src/idp/backchannel/sealing.py",
    "src/idp/keys/device.py",
    "src/idp/messages/deliver.py",
    "src/khizana/commands/run.py",
    "src/khizana/demo/kept.py",
    "src/khizana/deposit_batch.py",
    "src/khizana/embedded/postgres.py",
    "src/khizana/embedded/s3.py",
    "src/kit/db.py",
    "src/kit/strict_json.py",
    "src/locker/access/cursor.py",
    "src/locker/catalogue/store.py",
    "src/locker/disclosing/make_credential.py",
    "src/locker/documents/fields.py",
    "src/locker/documents/read_store.py",
    "src/locker/exporting/store.py",
}


def test_json_from_outside_is_read_with_each_member_once() -> None:
    decodes = re.compile(r"\bmsgspec\.json\.decode\(|\bjson\.loads?\((?!.*object_pairs_hook=once)")
    readers = {str(file.relative_to(ROOT)) for file in python_files() if decodes.search(file.read_text())}
    assert readers == OWN_JSON


def test_audit_and_throttle_are_written_by_the_kit_alone() -> None:
    for file in python_files():
        text = file.read_text(encoding="utf-8")
        for table in ("audit", "throttle"):
            if re.search(rf"(?:INSERT\s+INTO|UPDATE|DELETE\s+FROM)\s+\S*\.{table}\b", text):
                assert file == SRC / "kit" / f"{table}.py"


def test_no_app_reads_the_other_apps_schema() -> None:
    for app, other in (("idp", "locker"), ("locker", "idp")):
        for file in sorted((SRC / app).rglob("store.py")):
            text = file.read_text(encoding="utf-8")
            assert not re.search(rf"\b(?:FROM|JOIN|INTO|UPDATE)\s+{other}\.\w", text), file
        for file in sorted((ROOT / "migrations" / app).glob("*.sql")):
            assert not re.search(rf"\b{other}\.\w", _without_comments(file.read_text(encoding="utf-8"))), file


def _without_comments(sql: str) -> str:
    return re.sub(r"--[^\n]*", "", sql)


@pytest.mark.parametrize("library", SEATS)
def test_a_dangerous_library_has_one_seat(library: str) -> None:
    found = {str(file.relative_to(ROOT)) for file in python_files() if library in imports(file)}
    assert {file for file in found if not re.fullmatch(SEATS[library], file)} == set()


def test_no_file_is_named_after_nothing() -> None:
    named = [path for path in SRC.rglob("*") if path.is_dir() or path.suffix == ".py"]
    assert [str(path.relative_to(ROOT)) for path in named if path.stem in NOT_A_NAME] == []


def test_sql_is_text_in_stores_and_in_the_kit() -> None:
    begins = re.compile(r"^\s*(?:SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH)\s", re.MULTILINE)
    outside = set()
    for file in python_files():
        name = str(file.relative_to(ROOT))
        if re.fullmatch(r"src/kit/\w+\.py|src/.*store\.py|src/khizana/(?:commands/doctor|embedded/postgres)\.py", name):
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and begins.match(node.value):
                outside.add(f"{name}:{node.lineno}")
    assert outside == set()


def test_every_jwt_verification_names_its_algorithms() -> None:
    for file in python_files():
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            called = ast.unparse(node.func)
            if called.endswith(("jwt.decode", "_JWT.decode", "_JWT.decode_complete", "jwt.decode_complete")):
                assert "algorithms" in {keyword.arg for keyword in node.keywords}, f"{file}:{node.lineno}"


def test_litestar_handlers_can_read_their_annotations() -> None:
    for file in sorted(SRC.rglob("routes.py")):
        assert "from __future__ import annotations" not in file.read_text(encoding="utf-8"), file


def test_no_committed_text_names_a_machine_or_an_index() -> None:
    machine = re.compile(r"(?<![\w.])/(?:work|root|home/[a-z]+|Users/[a-z]+)/[\w.-]+")
    index = re.compile(r"https?://[\w.-]*(?:pypi\.org|pythonhosted|/simple\b)|--(?:extra-)?index-url|--find-links")
    for file in committed():
        if file.suffix in {".png", ".pdf", ".woff2", ".ttf", ".otf", ".jpg", ".der", ".ico"} or file == Path(__file__):
            continue
        text = file.read_text(encoding="utf-8", errors="replace")
        assert not machine.search(text), f"{file.relative_to(ROOT)}: {machine.search(text)}"
        if file.name != "khizana":
            assert not index.search(text), f"{file.relative_to(ROOT)}: {index.search(text)}"


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-test.lock", "requirements-uv.lock"])
def test_a_lock_file_has_a_version_and_hashes_for_everything_and_no_address(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    assert lines
    for line in lines:
        assert re.match(r"[A-Za-z0-9._-]+(?:\[[\w,-]+\])?==[^\s;]+", line), line
        assert "--hash=sha256:" in line, line
        assert "://" not in line, line


def test_the_test_lock_contains_the_run_lock() -> None:
    """So that an environment that was made for the tests also runs the product."""

    def versions(name: str) -> set[str]:
        found = re.findall(r"^([A-Za-z0-9._-]+==[^\s;\\]+)", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE)
        return set(found)

    assert versions("requirements.lock") <= versions("requirements-test.lock")
