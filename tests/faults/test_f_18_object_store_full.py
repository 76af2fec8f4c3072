"""F-18 at the object store: an S3 server whose disk is full. Nothing is promised, nothing is lost, and room is enough
to go on.
"""

import contextlib
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from khizana.embedded import child, s3
from locker.sweeping.reconcile import reconcile
from locker.sweeping.sweep import sweep
from tests.locker_world import World, open_world
from tests.product import free_port

pytestmark = pytest.mark.asyncio(loop_scope="module")

SIZE_KIB = 512
FILLED = "khizana/filled"


@dataclass(frozen=True)
class Small:
    """As any S3 is: nobody but itself sees its files."""

    endpoint: str
    access_key: str
    secret_key: str
    objects: Path
    bucket: str = s3.BUCKET
    bucket_folder: None = None

    @contextlib.contextmanager
    def without_room(self) -> Iterator[None]:
        filled = self.objects / FILLED
        with filled.open("xb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(b"x" * 4096):
                pass
        try:
            yield
        finally:
            filled.unlink()

    def partial(self) -> list[str]:
        return [path.name for path in self.objects.rglob("*") if "partial" in path.name]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Small]:
    """rclone over a file system of its own."""
    folder = tmp_path_factory.mktemp("small")
    objects = folder / "objects"
    objects.mkdir()
    kept = s3.Kept(port=free_port(), access_key="full", secret_key="0123456789abcdef")
    rclone = str(s3._binary())
    within = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    mounted = f"mount -t tmpfs -o size={SIZE_KIB}k none {objects}"
    if subprocess.run([*within, mounted], capture_output=True).returncode:
        pytest.skip("SKIPPED: this machine lets nobody make a small file system")
    bucket = objects / s3.BUCKET
    prepared = f"mkdir -p {' '.join(str(bucket / prefix) for prefix in s3.PREFIXES)}"
    kept_files = f"touch {' '.join(str(bucket / prefix / '.keep') for prefix in s3.PREFIXES)}"
    process = child.spawn(
        [
            *within,
            f'{mounted} && {prepared} && {kept_files} && exec "$@"',
            "sh",
            *(rclone, "serve", "s3", "--addr", f"127.0.0.1:{kept.port}", str(objects)),
        ],
        log=folder / "s3.log",
        environ=s3._environ(kept),
    )
    try:
        assert child.wait_until(lambda: process.poll() is not None or s3._answers(kept.port), 20)
        assert process.poll() is None, child.last_lines(folder / "s3.log")
        inside = Path(f"/proc/{process.pid}/root") / objects.relative_to("/")
        yield Small(kept.endpoint, kept.access_key, kept.secret_key, inside)
    finally:
        process.kill()
        process.wait()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(dsns: Any, small: Small, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with open_world(dsns, small, tmp_path_factory.mktemp("locker")) as opened:
        yield opened


async def test_f_18_an_object_store_without_room_promises_nothing_and_loses_nothing(world: World, small: Small) -> None:
    first = world.sealed(text="before")
    before = (await world.deposit(first, key="before")).json()
    pdf = world.sealed(text="full")
    with small.without_room():
        refused = await world.deposit(pdf, key="full")
        assert (refused.status_code, refused.json()["code"]) == (503, "object-store-unavailable")
        assert int(refused.headers["retry-after"]) > 0
        assert [row["document_id"] for row in await world.rows("SELECT document_id FROM locker.document")] == [
            before["document_id"]
        ]
        # What is there is read as ever.
        path = f"/v1/documents/{before['document_id']}/original"
        read = await world.locker.get(path, headers=world.citizen())
        assert (read.status_code, read.content) == (200, first)
    after = await world.deposit(pdf, key="full")
    assert after.status_code == 201, after.text
    path = f"/v1/documents/{after.json()['document_id']}/original"
    assert (await world.locker.get(path, headers=world.citizen())).content == pdf
    # Of what did not fit nothing stays, at the latest when it was swept.
    wiring = world.wiring
    lifetimes = {"outbox_lifetime_s": 86_400, "refused_lifetime_s": 86_400}
    await sweep(wiring.db, wiring.audit, wiring.throttle, wiring.vault, grace_s=0, **lifetimes)
    found = await reconcile(wiring.db, wiring.audit, wiring.vault, grace_s=0)
    assert (found.documents, found.objects, found.missing, found.unknown) == (2, 2, [], [])
    assert small.partial() == []
