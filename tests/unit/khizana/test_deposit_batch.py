"""What `khizana deposit --batch` makes of a folder before it asks; tests/faults/test_kill_batches.py has the rest."""

import asyncio
import hashlib
import io
import json
import os
import tracemalloc
import zipfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from khizana import deposit_batch
from khizana.cli import CommandRefused, main
from khizana.deposit_batch import (
    MANIFEST,
    PART_MAX_BYTES,
    PATIENCE_S,
    RESULTS,
    Office,
    Outcome,
    _files_of,
    _manifest,
    _part,
    _write_results,
)
from kit.jose import SigningKey


def folder_of(tmp_path: Path, *lines: object) -> Path:
    text = "\n".join(one if isinstance(one, str) else json.dumps(one) for one in lines)
    (tmp_path / MANIFEST).write_text(text, encoding="utf-8")
    return tmp_path


def test_a_line_without_a_digest_gets_its_files(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(b"one")
    (tmp_path / "b.pdf").write_bytes(b"two")
    sent = _manifest(folder_of(tmp_path, {"file": "a.pdf"}, "", {"file": "b.pdf", "sha256": "said"}, "nonsense"))
    assert [line if line == b"nonsense" else json.loads(line) for line in sent.splitlines()] == [
        {"file": "a.pdf", "sha256": hashlib.sha256(b"one").hexdigest()},
        {"file": "b.pdf", "sha256": "said"},
        b"nonsense",
    ]
    assert _manifest(tmp_path) == sent


def test_what_a_line_says_stays_as_it_was_written(tmp_path: Path) -> None:
    """Numbers and spaces: the locker judges what the administration wrote."""
    (tmp_path / "a.pdf").write_bytes(b"one")
    written = '{ "file":"a.pdf", "fields":{"n":1.10, "m":1e3}, "type":"B" }'
    [sent] = _manifest(folder_of(tmp_path, written)).splitlines()
    assert sent == b'{"sha256":"%s",%s' % (hashlib.sha256(b"one").hexdigest().encode(), written[1:].encode())


def test_a_line_in_which_a_member_stands_twice_is_sent_as_it_is(tmp_path: Path) -> None:
    """Which of them is meant is not ours to say; the locker refuses it, and names the line."""
    (tmp_path / "a.pdf").write_bytes(b"one")
    written = '{"file":"a.pdf", "type":"A", "type":"B"}'
    assert _manifest(folder_of(tmp_path, written)).splitlines() == [written.encode()]


def test_files_that_are_not_there_stop_it_before_it_begins(tmp_path: Path) -> None:
    with pytest.raises(CommandRefused) as refused:
        _manifest(folder_of(tmp_path, {"file": "a.pdf"}, {"file": "b.pdf"}))
    assert refused.value.code == "files-missing"
    assert "2 of the manifest" in refused.value.sentence


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a/../../secret", "..", "a\\b", "a\x00"])
def test_a_manifest_reaches_no_file_outside_its_folder(tmp_path: Path, name: str) -> None:
    inside = tmp_path / "day"
    inside.mkdir()
    (tmp_path / "secret").write_bytes(b"secret")
    [line] = _manifest(folder_of(inside, {"file": name})).splitlines()
    assert json.loads(line) == {"file": name}


def test_parts_hold_each_file_once_and_are_bounded(tmp_path: Path) -> None:
    names = [f"{number}.pdf" for number in range(7)]
    for name in names:
        (tmp_path / name).write_bytes(os.urandom(PART_MAX_BYTES // 3))
    (tmp_path / "large.pdf").write_bytes(os.urandom(PART_MAX_BYTES + 1))
    waiting, parts = [[one] for one in (*names, "gone.pdf", "large.pdf")], list[list[str]]()
    while part := _part(tmp_path, waiting):
        with zipfile.ZipFile(io.BytesIO(part)) as archive:
            assert archive.testzip() is None
            parts.append(archive.namelist())
    assert sorted(name for part in parts for name in part) == sorted([*names, "large.pdf"])
    assert [len(part) for part in parts] == [1, 3, 3, 1]


def test_the_last_item_may_be_taken_by_another_while_one_looks(tmp_path: Path) -> None:
    """Parts are packed in threads, and all of them take from one list."""

    class Shared(list[list[str]]):
        def pop(self, index: object = -1) -> list[str]:  # type: ignore[override]
            if len(self) == 1:
                self.clear()
            return super().pop()

    for name in ("a.pdf", "b.pdf"):
        (tmp_path / name).write_bytes(name.encode())
    with zipfile.ZipFile(io.BytesIO(_part(tmp_path, Shared([["b.pdf"], ["a.pdf"]])))) as archive:
        assert archive.namelist() == ["a.pdf"]
    assert _part(tmp_path, Shared([["b.pdf"]])) == b""


@asynccontextmanager
async def office_before(answer: Callable[[httpx.Request], httpx.Response]) -> AsyncIterator[Office]:
    """A client whose network does as it is told."""
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        key = SigningKey.generate("ES256")
        yield Office(http, locker="https://locker.example", issuer="https://idp.example", client_id="c", key=key)


async def write_results(folder: Path, body: Callable[[], AsyncIterator[bytes]]) -> None:
    """From a locker whose results are ``body``, over what a network may do with it."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/results"):
            return httpx.Response(200, content=body())
        said = {"token_endpoint": "https://idp.example/token", "access_token": "token", "expires_in": 300}
        return httpx.Response(200, json=said)

    async with office_before(answer) as office:
        await _write_results(office, folder, "batch")


async def test_results_that_break_off_are_written_once_and_whole(tmp_path: Path) -> None:
    tries = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal tries
        tries += 1
        yield b"first\n"
        if tries == 1:
            yield b"second, which is longer than what comes in its place\n"
            raise httpx.RemoteProtocolError("the server is gone")
        yield b"second\n"

    (tmp_path / RESULTS).write_bytes(b"of before\n")
    await write_results(tmp_path, body)
    assert (tmp_path / RESULTS).read_bytes() == b"first\nsecond\n"
    assert [file.name for file in tmp_path.iterdir()] == [RESULTS]


async def test_results_of_a_hundred_thousand_items_are_not_held_in_memory(tmp_path: Path) -> None:
    portion, portions = b"r" * 50_000, 2_000

    async def body() -> AsyncIterator[bytes]:
        for _ in range(portions):
            yield portion

    tracemalloc.start()
    try:
        await write_results(tmp_path, body)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (tmp_path / RESULTS).stat().st_size == portions * len(portion)
    assert peak < portions * len(portion) // 10


class Clock:
    """Time that passes where somebody waits, and nowhere else."""

    def __init__(self) -> None:
        self.now = 0.0
        self._rest = asyncio.sleep

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await self._rest(0)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(deposit_batch, "time", made)
    monkeypatch.setattr(asyncio, "sleep", made.sleep)
    return made


async def test_a_part_waits_for_a_place_as_long_as_others_get_one(clock: Clock) -> None:
    """A locker takes some parts of an administration at once, and each place is taken again as it becomes free."""
    refused, taken = 0, 0

    def answer(request: httpx.Request) -> httpx.Response:
        nonlocal refused
        if request.url.path == "/waiting" and clock.now < 10 * PATIENCE_S:
            refused += 1
            return httpx.Response(503, json={"code": "unavailable"})
        said = {"token_endpoint": "https://idp.example/token", "access_token": "token", "expires_in": 300}
        return httpx.Response(200, json=said)

    async with office_before(answer) as office:
        waiting = asyncio.create_task(office.send("POST", "/waiting", expected=[200]))
        while not waiting.done():
            await office.send("POST", "/taken", expected=[200])
            await asyncio.sleep(0)
            taken += 1
    assert (await waiting).status_code == 200
    assert refused > 10
    assert taken > 10


async def test_who_is_never_answered_is_told_so(clock: Clock) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/waiting":
            return httpx.Response(503, json={"code": "unavailable"})
        said = {"token_endpoint": "https://idp.example/token", "access_token": "token", "expires_in": 300}
        return httpx.Response(200, json=said)

    async with office_before(answer) as office:
        with pytest.raises(CommandRefused, match="Start the same command again"):
            await office.send("POST", "/waiting", expected=[200])
    assert PATIENCE_S < clock.now < 2 * PATIENCE_S


def test_the_files_of_an_item_get_their_digests_and_stand_side_by_side(tmp_path: Path) -> None:
    for name in ("a.pdf", "a.json", "a.sig", "b.pdf"):
        (tmp_path / name).write_bytes(name.encode())
    line = {"file": "a.pdf", "data_file": "a.json", "data_signature_file": "a.sig"}
    [sent] = [json.loads(one) for one in _manifest(folder_of(tmp_path, line)).splitlines()]
    digests = {"sha256": "a.pdf", "data_sha256": "a.json", "data_signature_sha256": "a.sig"}
    assert sent == line | {name: hashlib.sha256(of.encode()).hexdigest() for name, of in digests.items()}
    items = [_files_of({"item": "b", "file": "b.pdf"}), _files_of(line)]
    with zipfile.ZipFile(io.BytesIO(_part(tmp_path, items))) as archive:
        assert archive.namelist() == ["a.pdf", "a.json", "a.sig", "b.pdf"]


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", ".."])
def test_a_locker_gets_no_file_from_outside_the_folder(name: str) -> None:
    with pytest.raises(CommandRefused):
        _files_of({"item": "a", "file": "a.pdf", "data_file": name})


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("x.pdf",),
        ("x.pdf", "--file", "x.json", "--dry-run"),
        ("x.pdf", "--batch", "day"),
        ("--batch", "day", "--at-once", "0"),
        ("--batch", "day", "--at-once", "1000"),
    ],
)
def test_words_that_do_not_fit_together_are_refused(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["deposit", *words, "--client-id", "x", "--key", "x.pem"]) == 2
    assert capsys.readouterr().err.startswith("error: arguments:")


def test_all_is_well_without_refused_and_missing_ones() -> None:
    def outcome(**states: int) -> Outcome:
        return Outcome(batch_id="", dry_run=False, states=states, results="", seconds=0)

    assert outcome(deposited=2, quarantined=1).all_well
    assert not outcome(deposited=2, refused=1).all_well
    assert not outcome(deposited=2, awaiting=1).all_well
