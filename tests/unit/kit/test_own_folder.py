import asyncio
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from kit.own_folder import own_folder, temporary_folder

HOLDER = """
import sys, time
from pathlib import Path
from kit.own_folder import own_folder
with own_folder(Path(sys.argv[1])) as folder:
    (folder / "document.pdf").write_bytes(b"canary")
    print(folder, flush=True)
    time.sleep(60)
"""


def holder(parent: Path) -> tuple["subprocess.Popen[str]", Path]:
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(parent)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_what_a_killed_process_left_goes_when_another_starts(tmp_path: Path) -> None:
    living, its = holder(tmp_path)
    killed, left = holder(tmp_path)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert (left / "document.pdf").exists()
    with own_folder(tmp_path) as mine:
        assert not left.exists()
        assert (its / "document.pdf").exists()
        assert mine.stat().st_mode & 0o777 == 0o700
        (mine / "nested").mkdir()
    living.kill()
    living.communicate()
    assert [path for path in tmp_path.iterdir() if path != its] == []


def test_nothing_but_folders_of_ours_is_touched(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").touch()
    os.symlink(kept, tmp_path / "khizana-run-link")
    (tmp_path / "khizana-run-file").touch()
    (tmp_path / "khizana-other").mkdir()
    before = sorted(tmp_path.rglob("*"))
    with own_folder(tmp_path):
        pass
    assert sorted(tmp_path.rglob("*")) == before


async def test_the_folder_of_a_request_goes_with_it_and_is_not_removed_by_the_event_loop(tmp_path: Path) -> None:
    removed_by = set[int]()

    def notice(event: str, arguments: tuple[object, ...]) -> None:
        if event == "os.rmdir" and "khizana-one-" in str(arguments[0]):
            removed_by.add(threading.get_ident())

    sys.addaudithook(notice)
    begun = asyncio.Event()

    async def request(*, waits: bool) -> None:
        async with temporary_folder("khizana-one-", tmp_path) as folder:
            assert folder.stat().st_mode & 0o777 == 0o700
            (folder / "document.pdf").write_bytes(b"canary")
            begun.set()
            if waits:
                await asyncio.Event().wait()

    await request(waits=False)
    begun.clear()
    given_up = asyncio.create_task(request(waits=True))
    await begun.wait()
    given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    assert list(tmp_path.iterdir()) == []
    assert len(removed_by) > 0
    assert threading.get_ident() not in removed_by
