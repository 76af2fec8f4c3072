"""The pages for operators are true: their commands exist, and so do the settings, metrics and rates that they name."""

import argparse
import importlib
import re
import shlex

import msgspec
import pytest
from prometheus_client.metrics import MetricWrapperBase

from idp.pacing import ENDPOINTS
from idp.settings import IdpSettings
from khizana.cli import VERBS, Verb
from kit import metrics
from kit.settings import FRONT_DOOR, variables
from locker.settings import LockerSettings
from tests.conftest import ROOT

OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
ARCHIVE = (ROOT / "docs" / "archive.md").read_text(encoding="utf-8")
VAULT = "".join((ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8") for name in ("keys", "erasure", "export"))
CONFORMANCE = (ROOT / "deploy" / "conformance" / "README.md").read_text(encoding="utf-8")
WEBHOOKS = (ROOT / "docs" / "webhooks.md").read_text(encoding="utf-8")
START = (ROOT / "deploy" / "edge" / "start.sh").read_text(encoding="utf-8")
BACKUP = (ROOT / "deploy" / "backup.sh").read_text(encoding="utf-8")
PAGES = OPERATIONS + ARCHIVE + CONFORMANCE + WEBHOOKS + VAULT
COMMANDS = sorted(
    set(re.findall(r"^(?: *|\./)khizana ([^#\n]+?)\s*(?:#.*)?$", PAGES, re.MULTILINE))
    | set(re.findall(r"`khizana ([a-z][^`…]*)`", PAGES))
)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_is_understood(command: str) -> None:
    name, *words = shlex.split(command)
    assert name in VERBS
    module: Verb = importlib.import_module(f"khizana.commands.{name}")  # type: ignore[assignment]
    parser = argparse.ArgumentParser(exit_on_error=False)
    module.arguments(parser)
    parser.parse_args(words)


def test_each_setting_that_is_named_exists() -> None:
    known = FRONT_DOOR | variables(IdpSettings).keys() | variables(LockerSettings).keys()
    for name in re.findall(r"KHIZANA_[A-Z0-9_]+", PAGES):
        if name.startswith("KHIZANA_EDGE_"):
            assert name in START, name
        elif name.startswith("KHIZANA_BACKUP_"):
            assert name in BACKUP, name
        elif not name.endswith("_"):
            assert {name, name.removesuffix("_FILE")} & known, name
    rates = re.findall(r"^\| `([A-Z_]+)` \| ([\d,]+) \|", OPERATIONS, re.MULTILINE)
    assert len(rates) == 5
    for name, default in rates:
        (field,) = [one for one in msgspec.structs.fields(IdpSettings) if one.name == name.lower()]
        assert field.default == int(default.replace(",", "")), name


def test_each_metric_exists_and_each_of_ours_is_described() -> None:
    ours = {
        one._name + ("_total" if one._type == "counter" else "")
        for one in vars(metrics).values()
        if isinstance(one, MetricWrapperBase)
    }
    named = set(re.findall(r"khizana_[a-z_]+", OPERATIONS))
    assert ours <= named
    assert {name.removesuffix("_bucket") for name in named} <= ours


def test_each_endpoint_that_is_paced_is_named() -> None:
    (line,) = re.findall(r"^Endpoints: (.+?)\. ", OPERATIONS, re.MULTILINE)
    assert set(line.split(", ")) == ENDPOINTS


def test_the_verbs_of_keys_are_all_explained() -> None:
    for verb in ("make", "rotate", "retire", "withdraw", "list"):
        assert f"khizana keys {verb}" in OPERATIONS
