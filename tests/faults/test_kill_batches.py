"""A batch while the server is killed again and again, and the client once: `khizana deposit --batch` goes on where it
was, and each item is one document. The figures are printed.
"""

import asyncio
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from khizana.deposit_batch import MANIFEST, RESULTS, STATE
from khizana.embedded.postgres import EmbeddedPostgres
from khizana.embedded.s3 import EmbeddedS3
from kit.audit import Audit
from kit.throttle import Throttle
from locker.sweeping.reconcile import reconcile
from locker.sweeping.sweep import sweep
from tests.faults.rig import Rig, running
from tests.locker_world import BIRTH, INTERIOR, client_of
from tests.product import ROOT

pytestmark = pytest.mark.slow

DOCUMENTS = 160
KILLS = 3
LIMIT_S = 300


@dataclass
class Figures:
    kills_of_the_server: int = 0
    kills_of_the_client: int = 0
    deposited: int = 0
    seconds: float = 0.0
    orphans_swept: int = 0


def fill(folder: Path, rig: Rig) -> None:
    """The documents, and beside them one that nobody sealed and one line that is nonsense."""
    lines = []
    for number in range(DOCUMENTS):
        (folder / f"{number}.pdf").write_bytes(rig.pdf())
        lines.append(line(rig, number))
    (folder / "unsealed.pdf").write_bytes(b"%PDF-1.7 nobody sealed this" + bytes(200))
    lines.append({**line(rig, DOCUMENTS), "file": "unsealed.pdf"})
    text = "\n".join(json.dumps(one) for one in lines)
    (folder / MANIFEST).write_text(f"{text}\nnonsense\n", encoding="utf-8")


def line(rig: Rig, number: int) -> dict[str, Any]:
    return {
        "item": f"item-{number}",
        "file": f"{number}.pdf",
        "type": BIRTH,
        "subject": {"uid": rig.uid},
        "fields": {"family_name": "Alaoui"},
    }


class Client:
    def __init__(self, environ: dict[str, str], folder: Path, key: Path) -> None:
        self._environ, self._folder, self._key = environ, folder, key
        self.process: subprocess.Popen[bytes] | None = None

    async def start(self, *more: str) -> None:
        arguments = ["deposit", "--batch", str(self._folder), "--client-id", client_of(INTERIOR), "--key"]
        self.process = await asyncio.to_thread(
            lambda: subprocess.Popen(
                [sys.executable, "-m", "khizana", *arguments, str(self._key), "--at-once", "2", *more],
                env=self._environ,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        )

    async def ended(self) -> tuple[int, dict[str, Any], str]:
        assert self.process is not None
        out, err = await asyncio.to_thread(self.process.communicate)
        return self.process.returncode, json.loads(out or b"{}"), err.decode()

    async def kill(self) -> None:
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        await asyncio.to_thread(self.process.communicate)


async def settled(rig: Rig) -> int:
    return int(await rig.db.fetchval("SELECT count(*) FROM locker.deposit_batch_item WHERE state = 'deposited'"))


async def more_settled(rig: Rig, than: int) -> None:
    """Until documents are coming in."""
    while await settled(rig) <= than:
        await asyncio.sleep(0.02)


async def deposit_under_kills(client: Client, rig: Rig, figures: Figures) -> None:
    served = rig.nodes[0]
    started = time.monotonic()
    await client.start()
    for kill in range(KILLS):
        await more_settled(rig, DOCUMENTS * kill // (KILLS + 2))
        await served.kill()
        figures.kills_of_the_server += 1
        if kill == 1:
            await client.kill()
            figures.kills_of_the_client += 1
        await served.start()
        if kill == 1:
            await client.start()
    code, said, err = await client.ended()
    # One was refused and one line was nonsense.
    assert code == 1, err
    assert said["states"] == {"deposited": DOCUMENTS, "refused": 2}, err
    assert "2 refused" in err
    figures.seconds = round(time.monotonic() - started, 1)


async def check(rig: Rig, folder: Path, figures: Figures) -> None:
    results = [json.loads(one) for one in (folder / RESULTS).read_text(encoding="utf-8").splitlines()]
    assert [one["line"] for one in results] == list(range(1, DOCUMENTS + 3))
    assert [one["state"] for one in results[-2:]] == ["refused", "refused"]
    deposited = results[:DOCUMENTS]
    (first,) = rig.answered.values()
    rows = await rig.db.fetch(
        "SELECT document_id, sha256 FROM locker.document WHERE document_id <> $1", first["document_id"]
    )
    # One document an item, and its bytes are the item's.
    assert {row["document_id"]: row["sha256"].hex() for row in rows} == {
        one["document_id"]: hashlib.sha256((folder / one["file"]).read_bytes()).hexdigest() for one in deposited
    }
    assert len(rows) == figures.deposited == DOCUMENTS
    assert all(one["receipt"] for one in deposited)
    assert await rig.db.fetchval("SELECT count(*) FROM locker.deposit_batch_item WHERE sealed IS NOT NULL") == 0
    audit, db = Audit("locker"), rig.db
    deposited_rows = await db.fetchval("SELECT count(*) FROM locker.audit WHERE action = 'document.deposited'")
    assert deposited_rows == DOCUMENTS + 1
    swept = await sweep(
        db, audit, Throttle("locker"), rig.vault, grace_s=0, outbox_lifetime_s=86_400, refused_lifetime_s=86_400
    )
    figures.orphans_swept = swept.orphans
    after = await reconcile(db, audit, rig.vault, grace_s=0)
    assert (after.documents, after.objects, after.missing, after.unknown) == (DOCUMENTS + 1, DOCUMENTS + 1, [], [])


async def live(rig: Rig, folder: Path, figures: Figures) -> None:
    await asyncio.to_thread(fill, folder, rig)
    key = folder.parent / "client.pem"
    key.write_bytes(rig.key.pem())
    environ = {name: value for name, value in os.environ.items() if not name.startswith("KHIZANA_")}
    environ |= {
        "PYTHONPATH": str(ROOT / "src"),
        "KHIZANA_HOME": str(rig.home.folder),
        "KHIZANA_PORT": str(rig.home.port),
    }
    client = Client(environ, folder, key)
    await client.start("--dry-run")
    code, said, err = await client.ended()
    assert (code, said["states"]) == (1, {"checked": DOCUMENTS, "refused": 2}), err
    assert await rig.db.fetchval("SELECT count(*) FROM locker.document") == 1

    await deposit_under_kills(client, rig, figures)
    figures.deposited = await settled(rig)
    # Again: nothing is missing, and nothing is deposited a second time.
    await client.start()
    assert (await client.ended())[1]["states"] == {"deposited": DOCUMENTS, "refused": 2}
    assert json.loads((folder / STATE).read_text(encoding="utf-8"))["dry_run"] is False
    await rig.nodes[0].kill()
    await check(rig, folder, figures)


def test_a_batch_survives_kills_of_the_server_and_of_the_client(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home, folder, figures = tmp_path / "home", tmp_path / "day", Figures()
    home.mkdir(mode=0o700)
    folder.mkdir()
    postgres, s3 = EmbeddedPostgres.start(home), EmbeddedS3.start(home)

    async def run() -> None:
        async with asyncio.timeout(LIMIT_S), running(tmp_path, postgres, s3) as rig:
            await live(rig, folder, figures)

    try:
        asyncio.run(run())
    finally:
        s3.stop()
        postgres.stop()
    with capsys.disabled():
        print(f"\nbatch under kills {msgspec.json.encode(figures).decode()}")
