"""Which refusals an app can answer, read from its source: all that a module refers to which the app imports.

That is more than what a request meets, never less: those of the difference are named here.
"""

import ast
import importlib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

from kit.edge import HTTP_TITLES, PageRefusal
from kit.errors import OAuthRefusal, Refusal

App = Literal["idp", "locker"]
_SRC = Path(__file__).parent.parent
_PACKAGES = ("kit", "idp", "locker", "khizana")
BY_COMMANDS = frozenset(
    {
        "client-exists",
        "clock-apart",
        "keys-folder-taken",
        "not-archived",
        "schema-unfit",
        "seal-key-exists",
        "too-many-keys",
        "upstream-refused",
        "mandate-refused",
    }
)
"""An app imports the modules that raise them and never comes to that line."""
CAUGHT = frozenset(
    {
        "draft-changed",
        "last-second-factor",
        "no-preview",
        "number-not-served",
        "password-refused",
        "scanner-away",
        "sign-in-first",
        "too-many-codes",
    }
)
"""Never the code of an answer: a sentence in a form says it, or what came waits."""


class _Read(NamedTuple):
    imports: frozenset[str]
    """Modules."""
    refers: frozenset[tuple[str, str]]
    """Module, name in it."""


def answered(app: App) -> list[type[Refusal]]:
    """By code. Bases that say nothing of their own are left out."""
    found = _referred(_reached([f"{app}.app"]))
    return _sorted(refusal for refusal in found if refusal.code not in BY_COMMANDS | CAUGHT)


def answered_by_commands(app: App) -> list[type[Refusal]]:
    """Only by commands of an operator, never by the app itself."""
    commands = [f"khizana.commands.{file.stem}" for file in (_SRC / "khizana" / "commands").glob("*.py")]
    found = _referred(_reached(commands)) - set(answered("idp")) - set(answered("locker"))
    ours = {refusal for refusal in found if refusal.__module__.partition(".")[0] in (app, "kit")}
    return _sorted(refusal for refusal in ours if refusal.code not in CAUGHT)


def problem_codes(app: App) -> list[str]:
    """What ``code`` of a problem document may be, as far as it is known today."""
    apart = (OAuthRefusal, PageRefusal)
    found = {code for refusal in answered(app) if not issubclass(refusal, apart) for code in codes(refusal)}
    by_itself = {code for code, _status in before_the_app()}
    return sorted(found | by_itself | {code for code, _title in HTTP_TITLES.values()})


def error_codes(app: App) -> list[str]:
    """What ``error`` may be where OAuth's is answered as JSON."""
    told = {code for refusal in answered(app) if issubclass(refusal, OAuthRefusal) for code in codes(refusal)}
    # An endpoint that a client calls says itself what else goes to a redirect URI (RFC 9126 §2.3).
    return sorted(told | (to_redirect_uri() if app == "idp" else set()))


def to_redirect_uri() -> set[str]:
    """What is raised as an AuthorizationError."""
    found: set[str] = set()
    for file in sorted((_SRC / "idp").rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        tables = {
            node.target.id: node.value
            for node in tree.body
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
        }
        for node in ast.walk(tree):
            calls: list[ast.Call] = []
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "AuthorizationError":
                calls = [node]
            elif isinstance(node, ast.ClassDef) and any(
                isinstance(base, ast.Name) and base.id == "AuthorizationError" for base in node.bases
            ):
                calls = [one for one in ast.walk(node) if isinstance(one, ast.Call) and one.args]
            for call in calls:
                found |= set(_words(call.args[0], tables))
    return found


def _words(node: ast.AST, tables: dict[str, ast.expr | None]) -> Iterator[str]:
    for one in ast.walk(node):
        if isinstance(one, ast.Constant) and isinstance(one.value, str):
            yield one.value
        elif isinstance(one, ast.Name) and isinstance(table := tables.get(one.id), ast.Dict):
            yield from (value.value for value in table.values if isinstance(value, ast.Constant))  # type: ignore[misc]


def before_the_app() -> set[tuple[str, int]]:
    """Code and status: what the layer in front of both apps answers by itself, literals of ``kit/edge.py``."""
    found: set[tuple[str, int]] = set()
    for node in ast.walk(ast.parse((_SRC / "kit" / "edge.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef) and node.name == "_refused_early":
            returned = [one.value for one in ast.walk(node) if isinstance(one, ast.Return)]
            found |= {
                (f"http-{one.value}", one.value)
                for one in returned
                if isinstance(one, ast.Constant) and isinstance(one.value, int)
            }
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_answer":
            status, *code = [one.value for one in node.args if isinstance(one, ast.Constant)] or [None]
            found |= {(str(one), status) for one in code if isinstance(status, int)}
    return found


def codes(refusal: type[Refusal]) -> tuple[str, ...]:
    return (refusal.code, *refusal.other_codes)


def _sorted(refusals: Iterable[type[Refusal]]) -> list[type[Refusal]]:
    return sorted(refusals, key=lambda refusal: (refusal.code, refusal.status, refusal.__module__, refusal.__name__))


def _referred(modules: Iterable[str]) -> set[type[Refusal]]:
    found = {reference for module in modules for reference in _read(module).refers}
    return {
        refusal
        for module, name in found
        if isinstance(refusal := getattr(importlib.import_module(module), name, None), type)
        and issubclass(refusal, Refusal)
        and refusal.code != Refusal.code
    }


def _reached(roots: Iterable[str]) -> set[str]:
    reached: set[str] = set()
    waiting = list(roots)
    while waiting:
        module = waiting.pop()
        if module not in reached:
            reached.add(module)
            waiting += _read(module).imports
    return reached


@cache
def _read(module: str) -> _Read:
    tree = ast.parse(_file(module).read_text(encoding="utf-8"))
    imports, refers = set(_parents(module)), set()
    modules: dict[str, str] = {}
    named: dict[str, tuple[str, str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports |= {alias.name for alias in node.names if _is_module(alias.name)}
            modules |= {alias.asname or alias.name: alias.name for alias in node.names if _is_module(alias.name)}
        elif isinstance(node, ast.ImportFrom) and node.module and _is_module(node.module):
            for alias in node.names:
                inside = f"{node.module}.{alias.name}"
                if _is_module(inside):
                    imports.add(inside)
                    modules[alias.asname or alias.name] = inside
                else:
                    imports.add(node.module)
                    named[alias.asname or alias.name] = (node.module, alias.name)
    if module.endswith((".refusals", "_refusals", ".errors")):
        # It raises none of them.
        return _Read(frozenset(imports), frozenset())
    # What a class is a kind of is not answered by that.
    bases = {id(base) for node in ast.walk(tree) if isinstance(node, ast.ClassDef) for base in node.bases}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in named and id(node) not in bases:
            refers.add(named[node.id])
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            refers.add((modules[node.value.id], node.attr))
        elif isinstance(node, ast.ClassDef):
            refers.add((module, node.name))
    return _Read(frozenset(imports), frozenset(refers))


def _parents(module: str) -> Iterator[str]:
    while module := module.rpartition(".")[0]:
        yield module


@cache
def _is_module(name: str) -> bool:
    return name.partition(".")[0] in _PACKAGES and _file(name).exists()


def _file(module: str) -> Path:
    place = _SRC.joinpath(*module.split("."))
    return place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
