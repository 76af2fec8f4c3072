"""Group A of the attack catalogue, proofs: a citizen checks without us that a line is in the log."""

import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from cryptography.exceptions import InvalidSignature

from locker.log.checkpoint import LogKey
from locker.log.rotate_key import retire_key, rotate_key
from locker.log.sequence import Sequencer, sequence
from tests.unit.locker.log.logged_world import EXAMPLE, VERIFY, LoggedWorld, open_logged_world

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def log(dsns: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LoggedWorld]:
    async with open_logged_world(dsns, s3, tmp_path_factory.mktemp("locker")) as opened:
        yield opened


async def test_a_14_each_line_of_a_history_is_proven_offline_by_a_program_that_is_not_ours(
    log: LoggedWorld, tmp_path: Path
) -> None:
    await sequence(log.sequencer)
    key, proof = tmp_path / "log.key", tmp_path / "line.tlog-proof"
    key.write_text((await log.get("/log/key")).text)
    events = await log.history()
    assert len(events) >= 2
    for event in events:
        answer = await log.proof(event["audit_id"])
        assert answer.status_code == 200
        assert f'filename="line-{event["audit_id"]}.tlog-proof"' in answer.headers["content-disposition"]
        proven = VERIFY(key.read_text(), answer.text)
        assert {name: proven[name] for name in ("audit_id", "action", "number", "object_id", "purpose")} == {
            name: event[name] for name in ("audit_id", "action", "number", "object_id", "purpose")
        }
        assert proven["owner"] == next(iter(log.place.world.subs.values()))
    proof.write_text(answer.text, newline="")
    # Apart from everything of ours: no path to our packages, no network.
    ran = subprocess.run(
        [sys.executable, "-I", str(EXAMPLE), str(key), str(proof)], capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 0, ran.stderr
    assert events[-1]["audit_id"] in ran.stdout
    proof.write_text(answer.text.replace("\nindex ", "\nindex 1"), newline="")
    assert subprocess.run([sys.executable, "-I", str(EXAMPLE), str(key), str(proof)], timeout=60).returncode == 1


async def test_a_14_one_altered_byte_proves_nothing(log: LoggedWorld) -> None:
    key = (await log.get("/log/key")).text
    event = (await log.history())[0]
    proof = (await log.proof(event["audit_id"])).text
    assert VERIFY(key, proof)
    for at in range(len(proof)):
        for wrong in (
            proof[:at] + chr(ord(proof[at]) ^ 1) + proof[at + 1 :],
            proof[:at] + proof[at + 1 :],
            proof[:at] + "A" + proof[at:],
        ):
            if wrong != proof:
                with pytest.raises((ValueError, InvalidSignature)):
                    VERIFY(key, wrong)


async def test_a_14_a_proof_of_before_a_rotation_of_the_key_verifies_after_it(log: LoggedWorld) -> None:
    """So does one of after it for who keeps the key of before, while that signs beside the new one."""
    await sequence(log.sequencer)
    settings = log.place.world.wiring.settings
    audit_id = (await log.history())[0]["audit_id"]
    before, first = log.sequencer.key.verifier_key, (await log.proof(audit_id)).text
    proofs = []
    for change in (rotate_key, retire_key):
        change(settings.keys_folder, settings.locker_url)
        key = LogKey.load_or_create(settings.keys_folder, settings.locker_url)
        await log.sequencer.close()
        log.sequencer = Sequencer(log.sequencer.db, log.sequencer.objects, key)
        await log.place.document()
        await sequence(log.sequencer)
        proofs.append((await log.proof(audit_id)).text)
    keys = log.sequencer.key.verifier_keys
    assert keys.split("\n") == [log.sequencer.key.verifier_key, before]
    for known, proof in ((keys, first), (before, proofs[0]), (keys, proofs[0]), (keys, proofs[1])):
        assert VERIFY(known, proof)["audit_id"] == audit_id
    with pytest.raises(ValueError, match="that key signed no checkpoint"):
        VERIFY(before, proofs[1])
