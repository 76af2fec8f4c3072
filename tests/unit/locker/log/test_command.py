"""``khizana audit`` as its user runs it."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from locker.log.checkpoint import LogKey
from locker.log.sequence import Sequencer
from tests.unit.locker.log.log_world import LogWorld, open_log

pytestmark = pytest.mark.asyncio(loop_scope="function")

URL = "http://localhost:8000"


class Command:
    def __init__(self, place: LogWorld, environ: dict[str, str]) -> None:
        self.place = place
        self.environ = environ

    async def __call__(self, *words: str) -> tuple[int, Any, str]:
        """Exit code, what it answered and what it said."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "khizana", "audit", *words,
            env=self.environ, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        async with asyncio.timeout(60):
            answered, said = await process.communicate()
        return process.returncode or 0, json.loads(answered or b"null"), said.decode()


@pytest_asyncio.fixture
async def audit(new_database: Any, s3: Any, tmp_path: Path) -> AsyncIterator[Command]:
    dsns = new_database()
    async with open_log(dsns, s3) as place:
        key = LogKey.load_or_create(tmp_path / "keys", URL)
        place.sequencer = Sequencer(place.db, place.sequencer.objects, key)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("KHIZANA_")}
        yield Command(
            place,
            {
                **kept,
                "KHIZANA_HOME": str(tmp_path / "home"),
                "KHIZANA_MODE": "embedded",
                "KHIZANA_ISSUER": f"{URL}/idp",
                "KHIZANA_LOCKER_URL": URL,
                "KHIZANA_LOCKER_DATABASE_URL": dsns.locker,
                "KHIZANA_LOCKER_SECRET": "fedcba9876543210" * 4,
                "KHIZANA_LOCKER_KEYS_FOLDER": str(tmp_path / "keys"),
                "KHIZANA_LOCKER_S3_ENDPOINT": s3.endpoint,
                "KHIZANA_LOCKER_S3_ACCESS_KEY": s3.access_key,
                "KHIZANA_LOCKER_S3_SECRET_KEY": s3.secret_key,
                "KHIZANA_LOCKER_S3_BUCKET": s3.bucket,
                "KHIZANA_LOCKER_S3_LOG_PREFIX": place.prefix,
            },
        )


async def test_audit_verify_tells_what_is_wrong_by_its_exit_code_and_names_it(audit: Command, tmp_path: Path) -> None:
    place = audit.place
    await place.act_at_once(300)
    await place.rounds()
    note, key = tmp_path / "kept", tmp_path / "log.key"
    note.write_text(await place.sequencer.objects.read_checkpoint() or "")
    key.write_text(place.sequencer.key.verifier_key + "\n")
    code, verified, said = await audit("verify", "--checkpoint", str(note), "--key", str(key))
    assert (code, verified["leaves"], verified["findings"]) == (0, 300, [])
    assert "leaves: 300 of 300" in said
    code, shown, _ = await audit("show")
    assert (code, shown["leaves"], shown["verifier_key"]) == (0, 300, place.sequencer.key.verifier_key)
    audit_id = await place.value("SELECT audit_id FROM locker.log_leaf WHERE leaf_index = 7")
    await place.owner_db.execute("UPDATE locker.audit SET result = 'refused' WHERE audit_id = $1", audit_id)
    code, verified, _ = await audit("verify")
    assert code == 1
    (finding,) = verified["findings"]
    assert (finding["kind"], finding["leaf_index"], finding["audit_id"]) == ("changed", 7, str(audit_id))
    # A worker's lease is a minute; commands are slow on a busy machine.
    await place.owner_db.execute("UPDATE locker.log_head SET leader_until = now() + interval '1 hour'")
    code, _, said = await audit("adopt")
    assert (code, "log-led" in said) == (2, True)
