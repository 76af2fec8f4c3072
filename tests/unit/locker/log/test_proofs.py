"""What anyone may fetch, and what a citizen takes away: verified by the example program, which knows nothing of us."""

import base64
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jwt
import pytest
import pytest_asyncio

from locker.log.checkpoint import LogKey, read_checkpoint
from locker.log.merkle import is_consistent, root_of
from locker.log.sequence import sequence
from tests.locker_world import LOCKER, YOUSSEF
from tests.unit.locker.log.logged_world import EXAMPLE, VERIFY, LoggedWorld, open_logged_world

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def log(dsns: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LoggedWorld]:
    async with open_logged_world(dsns, s3, tmp_path_factory.mktemp("locker")) as opened:
        yield opened


async def test_the_example_is_short_and_imports_nothing_of_ours() -> None:
    lines = EXAMPLE.read_text().splitlines()
    assert len(lines) <= 80
    imported = {line.split()[1].split(".")[0] for line in lines if line.startswith(("import ", "from "))}
    assert imported <= {"base64", "hashlib", "json", "sys", "cryptography"}


async def test_a_proof_is_for_the_owner_of_the_line(log: LoggedWorld) -> None:
    event = (await log.history())[0]
    for refused in (
        await log.proof(event["audit_id"], uid=YOUSSEF),
        await log.proof("00000000-0000-7000-8000-000000000000"),
        await log.proof("no-uuid"),
        # Other spellings of the right one: what is read otherwise is written nowhere, not into a header either.
        await log.proof(f"%7B{event['audit_id']}%7D"),
        await log.proof(f"%0A{event['audit_id'].replace('-', '')[1:]}"),
        await log.proof(event["audit_id"].upper()),
    ):
        assert (refused.status_code, refused.json()["code"]) == (404, "line-unknown")
    assert (await log.get(f"/v1/history/{event['audit_id']}/proof")).status_code == 401


async def test_a_line_that_waits_says_so_and_is_proven_later(log: LoggedWorld) -> None:
    document_id = await log.place.document()
    event = (await log.history(f"document={document_id}"))[0]
    assert event["number"] is None
    waiting = await log.proof(event["audit_id"])
    assert (waiting.status_code, waiting.json()["code"]) == (409, "not-logged-yet")
    await sequence(log.sequencer)
    assert (await log.history(f"document={document_id}"))[0]["number"]
    assert (await log.proof(event["audit_id"])).status_code == 200


async def test_lines_are_numbered_without_a_gap(log: LoggedWorld) -> None:
    await sequence(log.sequencer)
    numbers = [event["number"] for event in await log.history("limit=200")]
    assert sorted(numbers) == list(range(1, len(numbers) + 1))


async def test_anyone_reads_the_log_and_rebuilds_its_root(log: LoggedWorld) -> None:
    await sequence(log.sequencer)
    key, note = await log.get("/log/key"), await log.get("/log/checkpoint")
    assert key.text.startswith("localhost:8000/log+")
    checkpoint = read_checkpoint(note.text, key.text.strip())
    assert "max-age=1" in note.headers["cache-control"]
    assert note.headers["content-type"] == "text/plain; charset=utf-8"
    tile = await log.get(f"/log/tile/0/000.p/{checkpoint.size}")
    assert "immutable" in tile.headers["cache-control"]
    hashes = [tile.content[at : at + 32] for at in range(0, len(tile.content), 32)]
    assert len(hashes) == checkpoint.size
    assert root_of(hashes) == checkpoint.root
    bundle = (await log.get(f"/log/tile/entries/000.p/{checkpoint.size}")).content
    assert len(bundle) == 34 * checkpoint.size


@pytest.mark.parametrize(
    "path", ["0/001", "0/000.p/255", "0/000.p/0", "0/0", "9/000", "entries/", "0/..%2fcheckpoint", "%2e%2e/checkpoint"]
)
async def test_what_is_no_tile_is_not_found(log: LoggedWorld, path: str) -> None:
    answer = await log.get(f"/log/tile/{path}")
    assert answer.status_code == 404
    assert "immutable" not in answer.headers["cache-control"]


async def test_nothing_that_is_public_says_anything_of_anybody(log: LoggedWorld) -> None:
    """All bytes that the log publishes are hashes; guessing an event does not help without its random bytes."""
    note = (await log.get("/log/checkpoint")).text
    size = int(note.split("\n")[1])
    bundle = (await log.get(f"/log/tile/entries/000.p/{size}")).content
    commitments = {bundle[at + 2 : at + 34] for at in range(0, len(bundle), 34)}
    event = (await log.history())[0]
    extra = (await log.proof(event["audit_id"])).text.split("\n")[1].removeprefix("extra ")
    opening = base64.b64decode(extra)
    assert hashlib.sha256(opening).digest() in commitments
    assert hashlib.sha256(opening[32:]).digest() not in commitments
    for sub in log.place.world.subs.values():
        assert sub.encode() not in bundle


async def test_each_two_checkpoints_are_proven_consistent(log: LoggedWorld) -> None:
    key = (await log.get("/log/key")).text.strip()
    notes = [(await log.get("/log/checkpoint")).text]
    for _ in range(3):
        await log.place.document()
        await sequence(log.sequencer)
        notes.append((await log.get("/log/checkpoint")).text)
    checkpoints = [read_checkpoint(note, key) for note in notes]
    for old in checkpoints:
        for new in checkpoints:
            answer = await log.get(f"/v1/log/consistency?old={old.size}&new={new.size}")
            if old.size > new.size:
                assert answer.status_code == 404
                continue
            proof = [base64.b64decode(each) for each in answer.json()["hashes"]]
            assert is_consistent(old.size, new.size, old.root, new.root, proof)
    too_far = await log.get(f"/v1/log/consistency?old=1&new={checkpoints[-1].size + 1}")
    assert (too_far.status_code, too_far.json()["code"]) == (404, "no-such-tree")


async def test_the_history_is_exported_as_signed_json_with_proofs(log: LoggedWorld) -> None:
    await sequence(log.sequencer)
    await log.place.document()
    answer = await log.get("/v1/history/export", **log.place.world.citizen())
    assert answer.headers["content-type"].startswith("application/jsonl")
    *lines, end = answer.content.splitlines(keepends=True)
    jwks = (await log.get("/.well-known/jwks.json")).json()
    claims = jwt.decode(json.loads(end)["signature"], jwt.PyJWK(jwks["keys"][0]), algorithms=["ES256"], issuer=LOCKER)
    assert claims["lines"] == len(lines)
    assert claims["whole"]
    assert claims["sha256"] == hashlib.sha256(b"".join(lines)).hexdigest()
    key = (await log.get("/log/key")).text
    waiting, *proven = map(json.loads, lines)
    assert waiting["proof"] is None
    assert proven
    for each in proven:
        assert VERIFY(key, each["proof"])["audit_id"] == each["event"]["audit_id"]


async def test_the_citizen_downloads_a_proof_from_the_page(log: LoggedWorld) -> None:
    await sequence(log.sequencer)
    citizen = await log.place.signed_in()
    await sequence(log.sequencer)
    page = await citizen.get("/wallet/history")
    href = page.text.split('/proof" download')[0].rsplit('href="', 1)[1] + "/proof"
    answer = await citizen.get(href)
    assert VERIFY((await log.get("/log/key")).text, answer.text)["action"] == "session.started"
    other = await log.place.signed_in(YOUSSEF)
    assert (await other.get(href)).status_code == 404


async def test_a_key_of_the_log_is_made_once(tmp_path: Path) -> None:
    one, two = (LogKey.load_or_create(tmp_path, "https://locker.example.ma") for _ in range(2))
    assert one.verifier_key == two.verifier_key
    assert one.verifier_key.startswith("locker.example.ma/log+")
    moved = LogKey.load_or_create(tmp_path, "https://coffre.example.ma", origin="locker.example.ma/log")
    assert moved.verifier_key == one.verifier_key
    assert (tmp_path / "log-Ed25519.pem").stat().st_mode & 0o777 == 0o600
