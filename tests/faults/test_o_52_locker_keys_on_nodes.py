"""O-52 at the locker, on processes that run: nothing is started again, and a node whose folder is behind goes on."""

import asyncio
import json
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from khizana.embedded.postgres import EmbeddedPostgres
from khizana.embedded.s3 import EmbeddedS3
from kit.jose import header_of, unverified_claims
from tests.faults.rig import Rig, running

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]
REREAD_S = 2
LATEST_S = REREAD_S + 15


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rig(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    folder = tmp_path_factory.mktemp("keys")
    home = folder / "home"
    home.mkdir(mode=0o700)
    postgres, s3 = EmbeddedPostgres.start(home, durable=False), EmbeddedS3.start(home)
    async with running(folder, postgres, s3, KHIZANA_LOCKER_KEYS_REREAD_S=str(REREAD_S)) as opened:
        yield opened
    s3.stop()
    postgres.stop()


async def khizana(rig: Rig, *words: str) -> tuple[int, Any]:
    """Code, and what was answered or said."""
    ran = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "khizana", *words],
        env=dict(rig.deployment.environ),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return ran.returncode, json.loads(ran.stdout) if ran.stdout else ran.stderr


async def published(rig: Rig, node: int) -> list[str]:
    async with rig.nodes[node].http() as http:
        return [key["kid"] for key in (await http.get("/.well-known/jwks.json")).json()["keys"]]


async def opened(rig: Rig, document_id: str, node: int) -> str:
    """The receipt of an opening there."""
    path = await rig.share(document_id, openings=1)
    async with rig.nodes[node].http() as http:
        return str((await http.post(path)).json()["receipt"])


def kid_of(receipt: str) -> str:
    return str(header_of(receipt)["kid"])


async def proof(rig: Rig, receipt: str, node: int) -> tuple[int, dict[str, Any]]:
    """Its line is in the log within seconds: until then it is known, and waits."""
    for _ in range(300):
        async with rig.nodes[node].http() as http:
            answer = await http.post("/v1/receipts/proof", json={"receipt": receipt})
        if answer.status_code != 409:
            return answer.status_code, answer.json()
        await asyncio.sleep(0.1)
    raise AssertionError("never logged")


async def until(so: Callable[[], Awaitable[bool]], *, within_s: float) -> None:
    began = time.monotonic()
    while not await so():
        assert time.monotonic() - began < within_s
        await asyncio.sleep(0.5)


async def test_o_52_the_lockers_keys_are_rotated_under_running_nodes(rig: Rig, tmp_path: Path) -> None:
    shared, copied = rig.deployment.locker_settings().keys_folder, tmp_path / "keys"
    document_id = (await rig.deposit_until_answered(rig.pdf(), key="rotated"))["document_id"]
    # The second node has a folder of its own, as on another machine.
    shutil.copytree(shared, copied)
    await rig.nodes[1].kill()
    rig.nodes[1].begin(KHIZANA_LOCKER_KEYS_FOLDER=str(copied))
    await rig.nodes[1].up()
    old = await opened(rig, document_id, 0)
    first = kid_of(old)
    assert await published(rig, 0) == await published(rig, 1) == [first]

    # Announced: published by who has it, signed with by nobody.
    code, said = await khizana(rig, "keys", "rotate", "--of", "locker")
    assert (code, said["action"]) == (0, "keys.rotated")
    assert (await khizana(rig, "keys", "rotate", "--of", "locker"))[0] == 2

    async def announced() -> bool:
        return len(await published(rig, 0)) == 2

    await until(announced, within_s=LATEST_S)
    assert (await published(rig, 0))[0] == kid_of(await opened(rig, document_id, 0)) == first

    # After a theft: one node signs with the new key, the other knows nothing of it and goes on.
    assert (await khizana(rig, "keys", "rotate", "--of", "locker", "--at-once"))[0] == 0

    async def signs() -> bool:
        return (await published(rig, 0))[0] != first

    await until(signs, within_s=LATEST_S)
    new = await opened(rig, document_id, 0)
    assert kid_of(new) == (await published(rig, 0))[0]
    behind = await opened(rig, document_id, 1)
    assert kid_of(behind) == first
    assert (await proof(rig, new, 1))[0] == 422
    for receipt in (old, new, behind):
        assert (await proof(rig, receipt, 0))[0] == 200

    # The folder is copied. A receipt of the new key is known with the next question.
    shutil.copytree(shared, copied, dirs_exist_ok=True)

    async def known() -> bool:
        return (await proof(rig, new, 1))[0] == 200

    await until(known, within_s=5)
    assert kid_of(await opened(rig, document_id, 1)) == kid_of(new)

    # Withdrawn on one, the mark copied to the other: both know it, and the private half there signs no more.
    assert (await khizana(rig, "keys", "withdraw", first, "--of", "locker"))[0] == 0
    shutil.copytree(shared, copied, dirs_exist_ok=True)

    async def gone() -> bool:
        return first not in [*await published(rig, 0), *await published(rig, 1)]

    await until(gone, within_s=LATEST_S)
    assert (copied / "signing-ES256.pem").exists()
    for node in (0, 1):
        status, told = await proof(rig, old, node)
        assert (status, kid_of(told["receipt"])) == (200, kid_of(new))
        assert unverified_claims(told["receipt"]) == unverified_claims(old)
    assert rig.worker.alive()
    rows = await rig.owner_db.fetch("SELECT action, detail FROM locker.audit WHERE action LIKE 'keys.%' ORDER BY at")
    assert [row["action"] for row in rows] == ["keys.rotated", "keys.rotated", "keys.withdrawn"]
