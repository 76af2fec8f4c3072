"""docs/provider.md is true: its commands exist, its registrations are accepted, its endpoints are discovery's."""

import argparse
import importlib
import re
import shlex
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from idp.clients.register import register
from idp.clients.schema import ClientRegistration
from idp.discovery.describe import describe
from idp.settings import IdpSettings
from idp.upstream.schema import RegistrationInput
from khizana.cli import VERBS, Verb
from tests.conftest import ROOT, Dsns
from tests.provider import ISSUER, Provider, running_provider

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAGE = (ROOT / "docs" / "provider.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\./khizana (.+)$", PAGE, re.MULTILINE)
REGISTRATIONS = re.findall(r"^```json\n(.+?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def idp(dsns: Dsns) -> AsyncIterator[Provider]:
    async with running_provider(dsns.idp, dsns.owner) as provider:
        yield provider


@pytest.mark.parametrize("command", COMMANDS)
async def test_each_command_is_understood(command: str) -> None:
    name, *words = shlex.split(command.partition(" > ")[0])
    assert name in VERBS
    module: Verb = importlib.import_module(f"khizana.commands.{name}")  # type: ignore[assignment]
    parser = argparse.ArgumentParser(exit_on_error=False)
    module.arguments(parser)
    parser.parse_args(words)


@pytest.mark.parametrize("number", range(len(REGISTRATIONS)))
async def test_each_registration_is_accepted_in_production(idp: Provider, number: int) -> None:
    wiring = idp.wiring
    registered = await register(
        wiring.db,
        wiring.audit,
        msgspec.json.decode(REGISTRATIONS[number], type=ClientRegistration),
        officer="test",
        production="127.0.0.1" not in REGISTRATIONS[number],
    )
    assert registered["client_id"]


async def test_each_profile_has_its_registration() -> None:
    profiles = {msgspec.json.decode(text)["profile"] for text in REGISTRATIONS}
    assert profiles == {"basic", "fapi2", "fapi2-ms", "wallet", "machine"}


async def test_the_registration_of_another_provider_can_be_read() -> None:
    (text,) = re.findall(r"^```json upstream\n(.+?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert msgspec.json.decode(text, type=RegistrationInput).slug == "ttp"


async def test_each_endpoint_of_discovery_stands_in_the_table() -> None:
    document: dict[str, Any] = describe(ISSUER, signing=["ES256"], trust_frameworks=["frame"])
    paths = {str(uri).removeprefix(ISSUER) for name, uri in document.items() if name.endswith(("_endpoint", "_uri"))}
    table = set(re.findall(r"^\| `(/[a-z/-]+)` \|", PAGE, re.MULTILINE))
    assert paths <= table
    assert table - paths == {"/subjects/resolve", "/subjects/resolve-several"}


async def test_each_setting_that_is_named_exists() -> None:
    known = {IdpSettings.variable(name) for name in IdpSettings.__struct_fields__}
    named = {name.removesuffix("_FILE") for name in re.findall(r"KHIZANA_[A-Z0-9_]+", PAGE)}
    assert {name for name in named if name not in known and f"{name}_FILE" not in known} == set()
