"""compose.yaml and what stands in deploy/: as the Compose Specification says, and with nothing left to chance.

``compose-spec.json`` is the published schema of the Compose Specification (compose-spec/compose-go,
schema/compose-spec.json, Apache-2.0), unchanged.
"""

import json
import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from khizana.cli import VERBS
from khizana.commands.serve import arguments as serve_arguments
from kit.settings import FRONT_DOOR, variables
from tests.conftest import ROOT

DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]


def test_compose_yaml_is_valid_by_the_published_schema() -> None:
    schema = json.loads((Path(__file__).parent / "compose-spec.json").read_text(encoding="utf-8"))
    errors = [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(COMPOSE)]
    assert errors == []


@pytest.mark.parametrize("service", SERVICES)
def test_every_image_is_pinned(service: str) -> None:
    """By a tag that names a version, or a digest; never by one that moves."""
    image = SERVICES[service]["image"]
    assert re.search(r":(?:v?\d+\.\d+[\w.-]*|RELEASE\.[\dT-]+Z)$|@sha256:[0-9a-f]{64}$", image), image


def test_the_images_of_the_dockerfiles_are_pinned() -> None:
    for file in (DEPLOY / "Dockerfile", DEPLOY / "edge" / "Dockerfile"):
        bases = re.findall(r"^FROM (\S+)", file.read_text(encoding="utf-8"), re.MULTILINE)
        assert bases
        assert all(re.search(r":\d+\.\d+\.\d+-|:\w+-\d{8}-", base) for base in bases)


def test_the_stack_has_all_its_parts() -> None:
    assert {"edge", "idp", "locker", "worker", "postgres", "s3", "mail"} <= SERVICES.keys()
    assert SERVICES["postgres"]["image"].startswith("postgres:16.")


def test_only_the_edge_is_reached_from_outside() -> None:
    """What else publishes a port does it on this machine alone."""
    for name, service in SERVICES.items():
        for port in service.get("ports", []):
            assert name == "edge" or port.startswith("127.0.0.1:")
        if "outside" in service["networks"]:
            assert name in ("edge", "mail")


def test_who_asks_addresses_that_others_name_has_a_way_out_and_nobody_a_way_in() -> None:
    assert {name for name, service in SERVICES.items() if "out" in service["networks"]} == {"idp", "locker", "worker"}
    assert not any("ports" in SERVICES[name] for name in ("idp", "locker", "worker"))
    assert COMPOSE["networks"]["out"]["driver_opts"]["com.docker.network.bridge.enable_icc"] == "false"
    assert not COMPOSE["networks"]["out"].get("internal")
    # The provider is asked by its public name, which the edge has there, and by its own authority's certificate.
    assert "front" in SERVICES["worker"]["networks"]
    assert "KHIZANA_CA_FILE" in SERVICES["worker"]["environment"]


def test_the_apps_believe_the_edge_alone() -> None:
    edge = SERVICES["edge"]["networks"]["front"]["ipv4_address"]
    for name in ("idp", "locker", "worker"):
        assert SERVICES[name]["environment"]["KHIZANA_TRUSTED_PROXIES"] == f"{edge}/32"


def test_no_secret_stands_in_compose_yaml() -> None:
    for service in SERVICES.values():
        for name, value in (service.get("environment") or {}).items():
            assert name.endswith("_FILE") or not re.search(r"SECRET|PASSWORD|DATABASE_URL|ACCESS_KEY", name), name
            assert "@" not in value or name == "KHIZANA_MAIL_FROM"


def test_every_setting_in_compose_yaml_exists() -> None:
    from idp.settings import IdpSettings
    from locker.settings import LockerSettings

    known = FRONT_DOOR | variables(IdpSettings).keys() | variables(LockerSettings).keys()
    for service in SERVICES.values():
        for name in service.get("environment") or {}:
            if name.startswith("KHIZANA_") and not name.startswith("KHIZANA_EDGE_"):
                assert {name, name.removesuffix("_FILE")} & known, name


def test_every_command_of_the_stack_is_one_of_ours() -> None:
    for service in SERVICES.values():
        if service["image"].startswith("khizana:"):
            _check_command(service["command"])


@pytest.mark.parametrize("unit", sorted((DEPLOY / "systemd").glob("khizana-*.service")), ids=lambda path: path.name)
def test_every_unit_starts_a_command_of_ours(unit: Path) -> None:
    line = re.search(r"^ExecStart=(.*)$", unit.read_text(encoding="utf-8"), re.MULTILINE)
    assert line is not None
    words = shlex.split(line[1])
    if words[0].endswith("/python"):
        _check_command(words[words.index("khizana") + 1 :])
    else:
        assert (ROOT / words[0].removeprefix("/opt/khizana/")).is_file()


def _check_command(words: list[str]) -> None:
    import argparse

    assert words[0] in VERBS
    if words[0] == "serve":
        parser = argparse.ArgumentParser()
        serve_arguments(parser)
        parser.parse_args(words[1:])


@pytest.mark.parametrize("script", sorted(DEPLOY.rglob("*.sh")), ids=lambda path: path.name)
def test_every_script_can_be_read_by_sh_and_started(script: Path) -> None:
    assert subprocess.run(["sh", "-n", str(script)], capture_output=True).returncode == 0
    assert script.stat().st_mode & 0o111
    assert "set -eu" in script.read_text(encoding="utf-8")


def test_every_variable_of_the_edge_in_compose_yaml_is_one_that_it_knows() -> None:
    text = (DEPLOY / "edge" / "start.sh").read_text(encoding="utf-8")
    for name in SERVICES["edge"]["environment"]:
        assert name in text, name
    # What start.sh fills in is what nginx.conf asks for: nothing stays unfilled, nothing is filled in vain.
    filled = set(re.findall(r"^fill (\w+) ", text, re.MULTILINE))
    assert filled == set(re.findall(r"@([A-Z_]+)@", (DEPLOY / "edge" / "nginx.conf").read_text(encoding="utf-8")))


def test_the_edge_puts_nothing_into_its_configuration_that_is_more_than_a_value(tmp_path: Path) -> None:
    environ = {"PATH": os.environ["PATH"], "KHIZANA_EDGE_RUN": str(tmp_path), "KHIZANA_EDGE_IDP_HOST": "a; include /x"}
    started = subprocess.run([str(DEPLOY / "edge" / "start.sh")], env=environ, capture_output=True, text=True)
    assert started.returncode == 1
    assert "KHIZANA_EDGE_IDP_HOST" in started.stderr
