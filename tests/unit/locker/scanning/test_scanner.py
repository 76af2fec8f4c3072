"""A real clamd judges; a server of ours does what clamd cannot be made to do."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from locker.scanning.check_scanner import check_scanner
from locker.scanning.refusals import NoVerdict, ScannerAway
from locker.scanning.scanner import Scanner, read_answer, where
from locker.scanning.schema import Scanned
from tests.clamd import EICAR, Clamd, FaultyScanner, running_clamd

STREAM_MAX_BYTES = 1_000_000


@pytest.fixture(scope="module")
def clamd() -> Iterator[Clamd]:
    with (
        tempfile.TemporaryDirectory(prefix="clamd-") as folder,
        running_clamd(Path(folder), stream_max_bytes=STREAM_MAX_BYTES) as running,
    ):
        yield running


def file(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "file"
    path.write_bytes(content)
    return path


def scanner(address: str, **changes: float) -> Scanner:
    return Scanner(address, **{"answer_max_s": 5.0, "rest_s": 0.0, **changes})  # type: ignore[arg-type]


@pytest.fixture
async def faulty() -> AsyncIterator[FaultyScanner]:
    with tempfile.TemporaryDirectory(prefix="faulty-") as folder:
        async with FaultyScanner(f"{folder}/s") as server:
            yield server


async def test_a_clean_file_is_clean(clamd: Clamd, tmp_path: Path) -> None:
    assert await scanner(clamd.address).scan(file(tmp_path, b"%PDF-1.7 nothing")) == Scanned()


async def test_eicar_is_found_and_named(clamd: Clamd, tmp_path: Path) -> None:
    found = await scanner(clamd.address).scan(file(tmp_path, EICAR))
    assert not found.clean
    assert found.signature is not None
    assert found.signature.startswith("Eicar-Test")


async def test_doctor_asks_whether_it_finds_anything(clamd: Clamd, faulty: FaultyScanner) -> None:
    found = await check_scanner(scanner(clamd.address))
    assert found is not None
    assert found.startswith("Eicar-Test")
    # One without signatures finds nothing, and says that all is well.
    assert await check_scanner(scanner(faulty.address)) is None


async def test_the_second_of_two_files_is_looked_at_too(clamd: Clamd, tmp_path: Path) -> None:
    other = tmp_path / "data"
    other.write_bytes(EICAR)
    assert not (await scanner(clamd.address).scan(file(tmp_path, b"clean"), other)).clean


async def test_more_than_the_stream_may_hold_is_no_verdict(clamd: Clamd, tmp_path: Path) -> None:
    with pytest.raises(ScannerAway):
        await scanner(clamd.address).scan(file(tmp_path, b"0" * (STREAM_MAX_BYTES * 5)))


async def test_nobody_there_is_no_verdict(tmp_path: Path) -> None:
    for address in (str(tmp_path / "no.sock"), "127.0.0.1:1"):
        with pytest.raises(ScannerAway):
            await scanner(address).scan(file(tmp_path, b"x"))


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"stream: OK",
        b"OK\0",
        b"stream: OK\nstream: X FOUND\0",
        b"INSTREAM size limit exceeded. ERROR\0",
        b"stream: Can't allocate memory ERROR\0",
        b"UNKNOWN COMMAND\0",
        b"\xff\xfe\0",
        b"x" * 10_000 + b"\0",
    ],
)
async def test_garbage_and_a_cut_connection_are_no_verdict(
    faulty: FaultyScanner, tmp_path: Path, answer: bytes
) -> None:
    faulty.answer = answer
    with pytest.raises(ScannerAway):
        await scanner(faulty.address).scan(file(tmp_path, b"x" * 100_000))


async def test_an_answer_before_all_was_read_counts(faulty: FaultyScanner, tmp_path: Path) -> None:
    faulty.reads, faulty.answer = False, b"stream: Eicar FOUND\0"
    assert await scanner(faulty.address).scan(file(tmp_path, b"x" * 3_000_000)) == Scanned(signature="Eicar")


async def test_clean_before_all_was_sent_is_no_verdict(faulty: FaultyScanner, tmp_path: Path) -> None:
    """What sits before the daemon and has its own mind, or a daemon that counts wrong: it cannot know."""
    faulty.reads = False
    with pytest.raises(NoVerdict):
        await scanner(faulty.address).scan(file(tmp_path, b"x" * 3_000_000))


async def test_an_answer_in_pieces_is_one(faulty: FaultyScanner, tmp_path: Path) -> None:
    faulty.pieces = True
    faulty.answer = b"stream: Eicar FOUND\0"
    assert await scanner(faulty.address).scan(file(tmp_path, b"x")) == Scanned(signature="Eicar")


async def test_one_that_takes_the_file_and_does_not_read_it_is_left(faulty: FaultyScanner, tmp_path: Path) -> None:
    """Closing would wait until it reads what was sent: for ever."""
    faulty.reads, faulty.answer = False, None
    async with asyncio.timeout(5):
        with pytest.raises(ScannerAway):
            await scanner(faulty.address, answer_max_s=0.2).scan(file(tmp_path, b"x" * 3_000_000))


async def test_silence_costs_the_time_out_once(faulty: FaultyScanner, tmp_path: Path) -> None:
    faulty.answer = None
    resting = scanner(faulty.address, answer_max_s=0.2, rest_s=60.0)
    for _ in range(5):
        with pytest.raises(ScannerAway):
            await resting.scan(file(tmp_path, b"x"))
    assert faulty.asked == 1


async def test_it_is_asked_by_so_many_at_once_and_no_more(faulty: FaultyScanner, tmp_path: Path) -> None:
    one = file(tmp_path, b"x")
    busy = Scanner(faulty.address, answer_max_s=5.0, at_once_max=2)
    faulty.may_answer.clear()
    asking = [asyncio.create_task(busy.scan(one)) for _ in range(6)]
    done, waiting = await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
    assert all(isinstance(task.exception(), ScannerAway) for task in done)
    faulty.may_answer.set()
    await asyncio.wait(waiting)
    assert faulty.most_at_once <= 2
    assert sum(task.exception() is None for task in asking) == 4


@pytest.mark.parametrize("address", ["localhost", "localhost:0", "localhost:99999", "a b:3310", "", "run/clamd.sock"])
def test_an_address_that_is_none(address: str) -> None:
    with pytest.raises(ValueError, match="clamav"):
        where(address)


def test_addresses() -> None:
    assert where("/run/clamav/clamd.ctl") == Path("/run/clamav/clamd.ctl")
    assert where("clamd.internal:3310") == ("clamd.internal", 3310)
    assert where("[::1]:3310") == ("::1", 3310)


def test_only_two_answers_are_verdicts() -> None:
    assert read_answer(b"stream: OK").clean
    assert read_answer(b"stream: Win.Test.EICAR_HDB-1 FOUND").signature == "Win.Test.EICAR_HDB-1"
