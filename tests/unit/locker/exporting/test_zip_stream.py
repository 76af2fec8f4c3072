"""The ZIP that is written front to back without being held: other programs read it."""

import datetime as dt
import io
import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from locker.exporting.spool import Spool
from locker.exporting.zip_stream import EntryChanged, ZipFile, central, end, entries_in
from locker.vault.streaming import SEGMENT_BYTES
from tests.conftest import run

AT = dt.datetime(2026, 11, 28, 19, 30, 58, tzinfo=dt.UTC)
NAMES = st.from_regex(r"[a-zé0-9ⴰ]{1,12}(/[a-z0-9]{1,8}){0,2}\.[a-z]{3}", fullmatch=True)


def written(files: dict[str, bytes], *, known: bool, at: int = 0) -> bytes:
    """As if ``at`` bytes stood before it; ``known``: how long a file is."""
    made, entries = bytearray(), []
    for name, content in files.items():
        file = ZipFile(name, at=at + len(made), moment=AT, length=len(content) if known else None)
        made += file.head()
        for place in range(0, len(content), 1000):
            file.count(content[place : place + 1000])
        made += content + file.tail()
        entries.append(file.entry(""))
    # As they are kept beside a part.
    entries = list(entries_in(msgspec.json.encode(entry) for entry in entries))
    directory = b"".join(central(entry, moment=AT) for entry in entries)
    return bytes(made) + directory + end(len(entries), central_length=len(directory), central_at=at + len(made))


@given(st.dictionaries(NAMES, st.binary(max_size=3000), max_size=8), st.booleans())
def test_another_program_reads_what_was_written(files: dict[str, bytes], known: bool) -> None:
    with zipfile.ZipFile(io.BytesIO(written(files, known=known))) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == files
        assert all(info.date_time == (2026, 11, 28, 19, 30, 58) for info in archive.infolist())


@pytest.mark.skipif(shutil.which("unzip") is None, reason="SKIPPED: no unzip here; install it to run this")
@pytest.mark.parametrize("known", [False, True])
def test_unzip_reads_it_too(tmp_path: Path, known: bool) -> None:
    (tmp_path / "a.zip").write_bytes(written({"été/x.txt": b"abc", "y.bin": bytes(5000)}, known=known))
    tested = subprocess.run(["unzip", "-t", str(tmp_path / "a.zip")], capture_output=True, text=True, check=True)
    assert "No errors detected" in tested.stdout


@pytest.mark.parametrize("known", [False, True])
def test_behind_four_gibibytes_it_is_zip64_by_itself(tmp_path: Path, known: bool) -> None:
    at, files = 5 * 2**30, {"x.txt": b"abc", "y.bin": bytes(5000)}
    with (tmp_path / "a.zip").open("wb") as sparse:
        sparse.seek(at)
        sparse.write(written(files, known=known, at=at))
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == files
        assert archive.infolist()[0].header_offset == at


def test_more_files_than_a_narrow_one_counts() -> None:
    files = {f"{number}": b"" for number in range(0xFFFF + 5)}
    with zipfile.ZipFile(io.BytesIO(written(files, known=True))) as archive:
        assert archive.namelist() == list(files)


@pytest.mark.parametrize("content", [b"ab", b"abcd"])
def test_a_file_of_another_length_is_a_fault(content: bytes) -> None:
    file = ZipFile("x", at=0, moment=AT, length=3)
    file.count(content)
    with pytest.raises(EntryChanged):
        file.tail()


@pytest.mark.parametrize("length", [0, 1, SEGMENT_BYTES - 57, SEGMENT_BYTES, 5 * SEGMENT_BYTES + 3])
def test_the_spool_gives_any_part_again_and_holds_nothing_plain(tmp_path: Path, length: int) -> None:
    spool = Spool(tmp_path)
    content = (b"canary" * (length // 6 + 1))[:length]
    spool.append(content[: length // 3])
    spool.append(content[length // 3 :])
    spool.seal()

    async def part(start: int, end: int) -> bytes:
        return b"".join([frame async for frame in spool.read(start, end)])

    for start, stop in ((0, length), (length // 2, length), (0, min(1, length)), (length, length)):
        assert run(part(start, stop)) == content[start:stop]
        assert run(part(start, stop)) == content[start:stop]
    on_disk = os.pread(spool._file.fileno(), 10 * SEGMENT_BYTES, 0)
    assert b"canary" not in on_disk
    assert list(tmp_path.iterdir()) == [], "it has no name, so nothing is left of a killed worker"
    spool.close()
