import ast
import json
import re
from pathlib import Path

import pytest

from khizana.commands.openapi import FOLDER, descriptions

ROOT = Path(__file__).parent.parent.parent
SRC = ROOT / "src"
REFUSALS = ROOT / "docs" / "refusals.md"


@pytest.fixture(scope="module")
def described() -> dict[str, str]:
    return descriptions()


@pytest.mark.parametrize("app", ["idp", "locker"])
def test_the_published_description_is_that_of_the_code(described: dict[str, str], app: str) -> None:
    """If this fails after a change that is meant: ./khizana openapi, and look at the difference."""
    assert (FOLDER / f"{app}.json").read_text(encoding="utf-8") == described[app]


@pytest.mark.parametrize("app", ["idp", "locker"])
def test_a_success_that_a_handler_names_is_described(described: dict[str, str], app: str) -> None:
    """Whoever writes a client from the description takes a status that it does not know for a mistake."""
    operations = {
        said["operationId"]: set(said["responses"])
        for methods in json.loads(described[app])["paths"].values()
        for said in methods.values()
    }
    looked_at, unsaid = 0, []
    for path in (SRC / app).rglob("*routes.py"):
        for handler in (
            node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.AsyncFunctionDef)
        ):
            said = operations.get(_operation_id(handler))
            if said is not None:
                looked_at += 1
                unsaid += [f"{handler.name}: {status}" for status in _named(handler) if str(status) not in said]
    assert looked_at > 20
    assert unsaid == []


PAGES = re.compile(
    r"/idp/(account|activate|authorize|end-session|frozen|not-me|recover|sign-in|sign-out|unfreeze|upstream)\b"
)


def test_each_address_of_the_provider_that_programs_ask_says_how_it_refuses(described: dict[str, str]) -> None:
    operations = {
        (method, path): said["responses"]
        for path, methods in json.loads(described["idp"])["paths"].items()
        for method, said in methods.items()
        if not PAGES.match(path)
    }
    assert len(operations) > 20
    for (method, path), said in operations.items():
        assert "503" in said, path
        # Who sends a body may send too much of it, too slowly, or compressed.
        if method in ("post", "put"):
            assert said.keys() >= {"408", "413", "415"}, path
        forms = {form for status, one in said.items() if status >= "400" for form in one["content"]}
        assert forms <= {"application/json", "application/problem+json"}, path
    for endpoint in ("token", "par", "introspect", "revoke", "device-authorization", "bc-authorize"):
        said = operations["post", f"/idp/{endpoint}"]
        assert [set(said[status]["content"]) for status in ("400", "401", "429")] == [{"application/json"}] * 3


@pytest.mark.parametrize(
    ("app", "schema", "member"),
    [("idp", "OAuthError", "error"), ("idp", "Problem", "code"), ("locker", "Problem", "code")],
)
def test_each_code_of_a_described_form_stands_in_the_table_of_refusals(
    described: dict[str, str], app: str, schema: str, member: str
) -> None:
    known = json.loads(described[app])["components"]["schemas"][schema]["properties"][member]["x-extensible-enum"]
    told = set(re.findall(r"^\| `([a-z0-9_-]+)` \|", REFUSALS.read_text(encoding="utf-8"), re.M))
    assert len(known) > 20
    assert set(known) <= told


def _operation_id(handler: ast.AsyncFunctionDef) -> str:
    for decorator in handler.decorator_list:
        for keyword in decorator.keywords if isinstance(decorator, ast.Call) else ():
            if keyword.arg == "operation_id" and isinstance(keyword.value, ast.Constant):
                return str(keyword.value.value)
    return ""


def _named(handler: ast.AsyncFunctionDef) -> set[int]:
    """Literal ``status_code`` of the responses in its body."""
    return {
        constant.value
        for statement in handler.body
        for call in ast.walk(statement)
        if isinstance(call, ast.Call)
        for keyword in call.keywords
        if keyword.arg == "status_code"
        for constant in ast.walk(keyword.value)
        if isinstance(constant, ast.Constant) and isinstance(constant.value, int) and constant.value < 300
    }


@pytest.mark.parametrize("operation", ["Deposit", "DepositReference", "Upload", "Seal"])
def test_what_puts_an_object_away_says_that_it_may_come_back_as_another(
    described: dict[str, str], operation: str
) -> None:
    """It is read back before anything is promised: 502, and the same request may be sent again."""
    [said] = [
        said
        for methods in json.loads(described["locker"])["paths"].values()
        for said in methods.values()
        if said["operationId"] == operation
    ]
    assert "502" in said["responses"]
