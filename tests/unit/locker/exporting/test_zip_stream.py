"""The ZIP that is written without being held: other programs read it, and its length is known before."""

import datetime as dt
import io
import os
import shutil
import subprocess
import zipfile
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locker.exporting.spool import Spool
from locker.exporting.zip_stream import EntryChanged, ZipEntry, ZipFrames
from locker.vault.streaming import SEGMENT_BYTES
from tests.conftest import run

AT = dt.datetime(2026, 11, 28, 19, 30, 58, tzinfo=dt.UTC)
NAMES = st.from_regex(r"[a-zé0-9ⴰ]{1,12}(/[a-z0-9]{1,8}){0,2}\.[a-z]{3}", fullmatch=True)


async def given_bytes(content: bytes) -> AsyncIterator[bytes]:
    for place in range(0, len(content), 1000):
        yield content[place : place + 1000]


def frames_of(files: dict[str, bytes], *, wide: bool) -> ZipFrames:
    entries = [
        ZipEntry(name=name, length=len(content), source=partial(given_bytes, content))
        for name, content in files.items()
    ]
    return ZipFrames(entries, at=AT, wide=wide)


async def whole(frames: ZipFrames) -> bytes:
    return b"".join([frame async for frame in frames])


@given(st.dictionaries(NAMES, st.binary(max_size=3000), max_size=8), st.booleans())
def test_another_program_reads_what_was_written_and_its_length_was_known(files: dict[str, bytes], wide: bool) -> None:
    frames = frames_of(files, wide=wide)
    written = run(whole(frames))
    assert len(written) == frames.length
    assert run(whole(frames)) == written, "again, as for a second try"
    with zipfile.ZipFile(io.BytesIO(written)) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == files
        assert all(info.date_time == (2026, 11, 28, 19, 30, 58) for info in archive.infolist())


@pytest.mark.skipif(shutil.which("unzip") is None, reason="SKIPPED: no unzip here; install it to run this")
@pytest.mark.parametrize("wide", [False, True])
def test_unzip_reads_it_too(tmp_path: Path, wide: bool) -> None:
    (tmp_path / "a.zip").write_bytes(run(whole(frames_of({"été/x.txt": b"abc", "y.bin": bytes(5000)}, wide=wide))))
    tested = subprocess.run(["unzip", "-t", str(tmp_path / "a.zip")], capture_output=True, text=True, check=True)
    assert "No errors detected" in tested.stdout


def test_a_large_one_is_zip64_by_itself() -> None:
    entry = ZipEntry(name="large", length=2**32, source=partial(given_bytes, b""))
    assert ZipFrames([entry], at=AT).length > 2**32 + 150
    small = ZipFrames([ZipEntry(name="small", length=3, source=partial(given_bytes, b"abc"))], at=AT)
    assert small.length == 30 + 5 + 3 + 16 + 46 + 5 + 22


@pytest.mark.parametrize("content", [b"ab", b"abcd"])
def test_a_file_of_another_length_is_a_fault(content: bytes) -> None:
    frames = ZipFrames([ZipEntry(name="x", length=3, source=partial(given_bytes, content))], at=AT)
    with pytest.raises(EntryChanged):
        run(whole(frames))


@pytest.mark.parametrize("length", [0, 1, SEGMENT_BYTES - 57, SEGMENT_BYTES, 5 * SEGMENT_BYTES + 3])
def test_the_spool_gives_any_part_again_and_holds_nothing_plain(tmp_path: Path, length: int) -> None:
    spool = Spool(tmp_path)
    content = (b"canary" * (length // 6 + 1))[:length]
    spool.append(content[: length // 3])
    spool.append(content[length // 3 :])
    spool.seal()

    async def part(start: int, end: int) -> bytes:
        return b"".join([frame async for frame in spool.read(start, end)])

    for start, end in ((0, length), (length // 2, length), (0, min(1, length)), (length, length)):
        assert run(part(start, end)) == content[start:end]
        assert run(part(start, end)) == content[start:end]
    on_disk = os.pread(spool._file.fileno(), 10 * SEGMENT_BYTES, 0)
    assert b"canary" not in on_disk
    assert list(tmp_path.iterdir()) == [], "it has no name, so nothing is left of a killed worker"
    spool.close()
