"""The file at the root. It runs before anything is installed, perhaps under an old Python."""

import ast
import builtins
import importlib.machinery
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.conftest import ROOT

FILE = ROOT / "khizana"


@pytest.fixture
def door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Loaded on an empty checkout of its own."""
    loader = importlib.machinery.SourceFileLoader("front_door", str(FILE))
    spec = importlib.util.spec_from_loader("front_door", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    # No bytecode beside it: its name has no suffix.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    loader.exec_module(module)
    venv = tmp_path / ".venv"
    for name in ("requirements.lock", "requirements-test.lock", "requirements-uv.lock"):
        (tmp_path / name).write_text(f"{name}\n")
    changes = {
        "ROOT": str(tmp_path),
        "VENV": str(venv),
        "PYTHON": str(venv / "bin" / "python"),
        "UV": str(venv / "bin" / "uv"),
        "MARKER": str(venv / "khizana.json"),
    }
    for name, value in changes.items():
        monkeypatch.setattr(module, name, value)
    return module


def installed(door: ModuleType, kind: str) -> None:
    Path(door.PYTHON).parent.mkdir(parents=True)
    Path(door.PYTHON).touch()
    Path(door.MARKER).write_text(json.dumps(door.wanted(kind)[1]))


def test_it_is_executable_and_needs_the_standard_library_alone() -> None:
    assert os.access(FILE, os.X_OK)
    names = set()
    for node in ast.walk(ast.parse(FILE.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").split(".")[0])
    assert names <= sys.stdlib_module_names


def test_an_old_python_can_read_it() -> None:
    ast.parse(FILE.read_text(encoding="utf-8"), feature_version=(3, 7))


def test_an_old_python_is_told_what_to_install(
    door: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2, "final", 0))
    monkeypatch.setattr(door.shutil, "which", lambda _: None)
    with pytest.raises(SystemExit) as left:
        door.main()
    assert left.value.code == 1
    assert "Python 3.11 or later is needed and this is 3.9" in capsys.readouterr().err


def test_a_newer_python_beside_an_old_one_is_taken(door: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2, "final", 0))
    monkeypatch.setattr(door.shutil, "which", lambda name: f"/usr/bin/{name}" if name == "python3.12" else None)

    def execv(path: str, _: list[str]) -> None:
        raise RuntimeError(path)

    monkeypatch.setattr(door.os, "execv", execv)
    with pytest.raises(RuntimeError, match=r"/usr/bin/python3\.12"):
        door.find_new_enough_python()


def test_where_no_environment_can_be_made_it_names_the_one_package(
    door: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(name: str, *arguments: Any, **keywords: Any) -> Any:
        if name in ("ensurepip", "venv"):
            raise ImportError(name)
        return real(name, *arguments, **keywords)

    real = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", refuse)
    monkeypatch.setattr(door.subprocess, "call", lambda *_, **__: 1)
    with pytest.raises(SystemExit):
        door.make_venv()
    said = capsys.readouterr().err
    assert "python3-venv" in said
    assert "apt-get install --yes python3-venv" in said


def test_what_is_installed_is_installed_again_only_when_a_lock_changes(door: ModuleType, tmp_path: Path) -> None:
    assert not door.is_ready("run")
    installed(door, "run")
    assert door.is_ready("run")
    assert not door.is_ready("test")
    (tmp_path / "requirements.lock").write_text("changed\n")
    assert not door.is_ready("run")


def test_an_environment_of_the_tests_also_runs_the_product(door: ModuleType) -> None:
    installed(door, "test")
    assert door.is_ready("test")
    assert door.is_ready("run")


def test_what_pip_was_told_is_told_to_uv(door: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("UV_DEFAULT_INDEX", "UV_FIND_LINKS", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(door, "PYTHON", sys.executable)
    monkeypatch.setenv("PIP_INDEX_URL", "https://mirror.example/index")
    monkeypatch.setenv("PIP_CERT", "/somewhere/ca.pem")
    monkeypatch.setenv("PIP_FIND_LINKS", "/nonexistent")
    environ = door.uv_environ()
    assert environ["UV_DEFAULT_INDEX"] == "https://mirror.example/index"
    assert environ["SSL_CERT_FILE"] == "/somewhere/ca.pem"
    assert "UV_FIND_LINKS" not in environ


def test_a_second_start_waits_for_the_one_that_sets_up(door: ModuleType, tmp_path: Path) -> None:
    """Both hold the folder's lock in turn, so that no two write one environment."""
    code = (
        "import fcntl, os, sys, time\n"
        f"folder = os.open({str(tmp_path)!r}, os.O_RDONLY)\n"
        "fcntl.flock(folder, fcntl.LOCK_EX)\n"
        "print('held', flush=True)\n"
        f"os.makedirs({str(Path(door.PYTHON).parent)!r})\n"
        f"open({door.PYTHON!r}, 'w').close()\n"
        "time.sleep(0.5)\n"
        f"open({door.MARKER!r}, 'w').write({json.dumps(door.wanted('run')[1])!r})\n"
    )
    other = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    door.set_up("run")
    assert door.is_ready("run")
    other.wait()
