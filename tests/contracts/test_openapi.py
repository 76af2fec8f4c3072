import ast
import json
from pathlib import Path

import pytest

from khizana.commands.openapi import FOLDER, descriptions

SRC = Path(__file__).parent.parent.parent / "src"


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
