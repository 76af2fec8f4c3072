"""What the log says of hostile requests: one escaped line each, and nothing of what the caller sent."""

import io
import json
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import pytest_asyncio

from idp.app import create_app as create_idp
from idp.settings import IdpSettings
from kit.edge import log_json_lines
from locker.app import create_app as create_locker
from locker.verification.standalone import VerificationSettings, create_standalone
from tests.conftest import Dsns
from tests.locker_world import settings_for
from tests.people import PASSWORD
from tests.provider import ISSUER, Provider, running_provider

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOSTILE = 'x\r\n{"event":"forged"}\x1b[2J\x9b31m\u2028\u202e","event":"forged'


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def idp(dsns: Dsns) -> AsyncIterator[Provider]:
    async with running_provider(dsns.idp, dsns.owner) as provider:
        yield provider


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    log_json_lines()
    out = io.StringIO()
    assert isinstance(root.handlers[0], logging.StreamHandler)
    root.handlers[0].setStream(out)
    yield out
    root.handlers[:] = before
    root.setLevel(level)


async def test_p_06_what_a_caller_sends_makes_no_line_of_its_own(idp: Provider, lines: io.StringIO) -> None:
    encoded = HOSTILE.encode().decode("latin-1").encode("latin-1")
    hostile = {"User-Agent": encoded.replace(b"\r\n", b" "), "Referer": b"https://a/\x1b[2J", "X-Request-Id": b"forged"}
    await idp.http.get("/idp/%0a%7b%22event%22%3a%22forged%22%7d%1b[2J?a=%0d%0ab", headers=hostile)
    await idp.http.post("/idp/token", data={"grant_type": HOSTILE, "client_id": HOSTILE}, headers=hostile)
    await idp.http.post("/idp/sign-in", data={"username": HOSTILE, "password": PASSWORD}, headers=hostile)
    said = lines.getvalue()
    requests = [json.loads(line) for line in said.splitlines()]
    assert [line["event"] for line in requests] == ["request"] * 3
    assert all(400 <= line["status"] < 500 for line in requests)
    assert "forged" not in said
    assert "[2J" not in said


async def test_p_06_an_app_leaves_the_log_as_its_process_set_it_up(lines: io.StringIO, tmp_path: Path) -> None:
    """The framework would set up its own, for eyes: with line ends, escapes and values of rows as they come."""
    nowhere = SimpleNamespace(endpoint="http://x", access_key="", secret_key="", bucket="x", bucket_folder=None)
    create_idp(
        IdpSettings(
            mode="embedded", issuer=ISSUER, database_url="postgresql://x", secret="0" * 64, keys_folder=tmp_path
        )
    )
    create_locker(settings_for("postgresql://x", nowhere, tmp_path))
    create_standalone(
        VerificationSettings(mode="embedded", url="http://x", trust_folder=tmp_path, keys_folder=tmp_path)
    )
    logging.getLogger("khizana.fault").error("a file named %s", HOSTILE)
    assert json.loads(lines.getvalue())["message"] == f"a file named {HOSTILE}"


async def test_p_06_a_message_with_hostile_text_is_one_escaped_line(lines: io.StringIO) -> None:
    try:
        raise ValueError(HOSTILE)
    except ValueError:
        logging.getLogger("khizana.fault").exception("a file named %s", HOSTILE)
    said = lines.getvalue()
    assert said.count("\n") == 1
    assert len(said.splitlines()) == 1
    assert said.isascii()
    assert "\x1b" not in said
    line = json.loads(said)
    assert line["event"] == "khizana.fault"
    assert line["message"] == f"a file named {HOSTILE}"


async def test_p_06_a_row_that_collides_does_not_tell_its_values(idp: Provider, lines: io.StringIO) -> None:
    insert = "INSERT INTO idp.throttle (bucket, window_starts_at, attempts) VALUES ('amina@example.com', now(), 1)"
    await idp.owner(insert)
    try:
        await idp.wiring.db.execute(insert)
    except Exception:
        logging.getLogger("khizana.fault").exception("unexpected")
    line = json.loads(lines.getvalue().splitlines()[-1])
    assert "UniqueViolationError" in line["exception"]
    assert "amina" not in line["exception"]


async def test_p_06_k_08_the_line_of_a_request_names_the_client_and_no_secret(
    idp: Provider, lines: io.StringIO
) -> None:
    party = await idp.client()
    browser = await idp.signed_in(await idp.citizen())
    code = await idp.code(browser, party)
    answer = await idp.http.post("/idp/token", data=party.exchange(code))
    tokens = answer.json()
    await idp.userinfo(tokens["access_token"])
    said = lines.getvalue()
    token_line = next(line for line in map(json.loads, said.splitlines()) if line["route"] == "/idp/token")
    assert token_line["client_id"] == party.client_id
    assert token_line["request_id"] == answer.headers["x-request-id"]
    for secret in (code, party.secret, tokens["access_token"], tokens["id_token"], "amina", "Amina"):
        assert str(secret) not in said
