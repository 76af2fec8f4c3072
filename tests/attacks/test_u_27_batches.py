"""U-27: what a ZIP file can do to who opens it. Row errors, nothing outside, bounded memory, room and time."""

import io
import os
import stat
import struct
import tempfile
import time
import tracemalloc
import zipfile
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.locker_world import World, open_world
from tests.unit.locker.batches.zips import Office, line, zipped

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Room:
    """The folder for temporary files: what it holds at most, and whether something stays."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def names(self) -> list[str]:
        """Below the process's own folder."""
        return [str(path.relative_to(own)) for own in self.folder.iterdir() for path in own.rglob("*")]


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Room:
    return Room(tmp_path_factory.mktemp("room"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(dsns: Any, s3: Any, room: Room, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with open_world(dsns, s3, tmp_path_factory.mktemp("locker"), temporary_folder=room.folder) as opened:
        assert (await opened.deposit()).status_code == 201
        yield opened


@pytest.fixture(scope="module")
def office(world: World) -> Office:
    return Office(world)


@pytest.fixture(scope="module")
def pdf(world: World) -> bytes:
    return world.sealed()


async def after(
    world: World, office: Office, room: Room, pdf: bytes, part: bytes, *, good: bool = True
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Send ``part``, which holds a good document under good.pdf; it alone has entered, and nothing lies about."""
    batch_id = await office.registered([line("good", pdf), line("victim", pdf, file="victim.pdf")])
    before, outside = await world.counts(), listing()
    started = time.monotonic()
    told, end = await office.sent(batch_id, part)
    assert time.monotonic() - started < 20
    assert await office.states(batch_id) == ({"deposited": 1, "awaiting": 1} if good else {"awaiting": 2})
    assert (await world.counts())["document"] == before["document"] + good
    assert room.names() == []
    assert listing() == outside
    return told, end


def listing() -> set[str]:
    """Where names that climb or begin at the root would have led."""
    folders = (Path(tempfile.gettempdir()), Path.cwd(), Path.cwd().parent, Path("/"))
    return {str(folder / name) for folder in folders for name in os.listdir(folder) if "khizana-u27" in name}


def entry(
    name: bytes,
    content: bytes,
    *,
    method: int = 0,
    flags: int = 0,
    packed: bytes | None = None,
    crc: int | None = None,
    sizes: tuple[int, int] | None = None,
    extra: bytes = b"",
    behind: bytes = b"",
) -> bytes:
    """A local entry, true unless told otherwise."""
    body = content if packed is None else packed
    packed_length, unpacked_length = sizes or (len(body), len(content))
    header = struct.pack(
        "<4sHHHHHIIIHH",
        b"PK\x03\x04",
        45,
        flags,
        method,
        0,
        0,
        zlib.crc32(content) if crc is None else crc,
        packed_length,
        unpacked_length,
        len(name),
        len(extra),
    )
    return header + name + extra + body + behind


def deflated(content: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(content) + packer.flush()


END = b"PK\x05\x06" + bytes(18)


def codes(told: list[dict[str, Any]]) -> list[Any]:
    return [one.get("code", one.get("state")) for one in told]


@pytest.mark.parametrize(
    "name",
    [
        "../khizana-u27",
        "../../../../../../tmp/khizana-u27",
        "/khizana-u27",
        "..\\khizana-u27",
        "C:\\khizana-u27",
        "a/../../khizana-u27",
        "./good.pdf",
        "GOOD.PDF",
        "good.pdf\u200b",
        "\u202egood.pdf",
        "x" * 5_000,
    ],
)
async def test_u_27_names_lead_nowhere(world: World, office: Office, room: Room, pdf: bytes, name: str) -> None:
    told, end = await after(world, office, room, pdf, zipped({name: pdf, "good.pdf": pdf}))
    assert codes(told) == ["not-in-manifest", "deposited"]
    assert end["complete"]


@pytest.mark.parametrize("name", [b"good.pdf\x00.exe", b"\xff\xfe\xfd", b""])
async def test_u_27_names_that_are_no_text(world: World, office: Office, room: Room, pdf: bytes, name: bytes) -> None:
    told, _ = await after(world, office, room, pdf, entry(name, pdf, flags=0x0800) + entry(b"good.pdf", pdf) + END)
    assert codes(told) == ["not-in-manifest", "deposited"]


async def test_u_27_a_manifest_cannot_name_a_path(office: Office, pdf: bytes) -> None:
    names = ("../x", "/etc/passwd", "a/b", "a\\b", "a\x00b", "a\nb", "", "x" * 256)
    answer = await office.register([{**line(f"n-{number}", pdf), "file": one} for number, one in enumerate(names)])
    assert {one["code"] for one in answer.json()["problems"]} == {"deposit-invalid"}
    assert answer.json()["refused"] == len(names)


async def test_u_27_links_are_files_of_a_few_bytes(world: World, office: Office, room: Room, pdf: bytes) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        link = zipfile.ZipInfo("victim.pdf")
        link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("good.pdf", pdf)
    told, _ = await after(world, office, room, pdf, buffer.getvalue())
    assert codes(told) == ["digest-mismatch", "deposited"]


async def test_u_27_a_document_that_inflates_without_end(world: World, office: Office, room: Room, pdf: bytes) -> None:
    bomb = zipped({"victim.pdf": b"%PDF-" + bytes(400_000_000), "good.pdf": pdf}, method=zipfile.ZIP_DEFLATED)
    assert len(bomb) < 500_000
    tracemalloc.start()
    try:
        told, end = await after(world, office, room, pdf, bomb)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert codes(told) == ["entry-too-large", "deposited"]
    assert end["complete"]
    assert peak < 30_000_000


async def test_u_27_many_bombs_inflate_no_further_than_a_part_may(
    world: World, office: Office, room: Room, pdf: bytes
) -> None:
    """Without lengths they must be inflated to be passed over: a hundred of 24 MB each, in one part."""
    zeros = bytes(24_000_000)
    packed = deflated(zeros)
    one = entry(
        b"bomb",
        zeros,
        method=8,
        flags=8,
        packed=packed,
        crc=0,
        sizes=(0, 0),
        behind=struct.pack("<4sIII", b"PK\x07\x08", zlib.crc32(zeros), len(packed), len(zeros)),
    )
    told, end = await after(world, office, room, pdf, entry(b"good.pdf", pdf) + one * 100 + END)
    assert codes(told)[0] == "deposited"
    assert (end["complete"], end["code"]) == (False, "part-inflates-too-far")


async def test_u_27_a_bomb_of_archives_is_a_file_like_any(world: World, office: Office, room: Room, pdf: bytes) -> None:
    """42.zip is a ZIP file of ZIP files: nothing looks into them."""
    inner = zipped({f"{number}.zip": bytes(1_000_000) for number in range(16)}, method=zipfile.ZIP_DEFLATED)
    told, _ = await after(world, office, room, pdf, zipped({"victim.pdf": inner, "good.pdf": pdf}))
    assert codes(told) == ["digest-mismatch", "deposited"]


async def test_u_27_encrypted_entries_and_strange_methods(world: World, office: Office, room: Room, pdf: bytes) -> None:
    for changed, code in (
        (entry(b"victim.pdf", pdf, flags=0x0001), "entry-encrypted"),
        (entry(b"victim.pdf", pdf, flags=0x2000), "entry-encrypted"),
        (entry(b"victim.pdf", pdf, method=12), "entry-method"),
        (entry(b"victim.pdf", pdf, method=99), "entry-method"),
        (entry(b"victim.pdf", pdf, flags=0x0020), "entry-method"),
    ):
        told, end = await after(world, office, room, pdf, changed + entry(b"good.pdf", pdf) + END)
        assert codes(told) == [code, "deposited"]
        assert end["complete"]


async def test_u_27_one_name_twice_is_one_document(world: World, office: Office, room: Room, pdf: bytes) -> None:
    twice = entry(b"good.pdf", pdf) + entry(b"good.pdf", b"%PDF-other" * 20) + END
    told, _ = await after(world, office, room, pdf, twice)
    assert codes(told) == ["deposited", "entry-repeated"]
    twice = entry(b"good.pdf", b"%PDF-other" * 20) + entry(b"good.pdf", pdf) + END
    told, _ = await after(world, office, room, pdf, twice, good=False)
    assert codes(told) == ["digest-mismatch", "entry-repeated"]


async def test_u_27_data_descriptors_in_each_form(world: World, office: Office, room: Room, pdf: bytes) -> None:
    packed = deflated(pdf)
    for form in ("<4sIII", "<4sIQQ", "<III", "<IQQ"):
        values = (zlib.crc32(pdf), len(packed), len(pdf))
        behind = struct.pack(form, *((b"PK\x07\x08", *values) if form.startswith("<4s") else values))
        described = entry(b"good.pdf", pdf, method=8, flags=8, packed=packed, crc=0, sizes=(0, 0), behind=behind)
        told, end = await after(world, office, room, pdf, described + entry(b"more", b"") + END)
        assert (codes(told), end["complete"]) == (["deposited", "not-in-manifest"], True), form


async def test_u_27_lengths_and_checksums_that_lie(world: World, office: Office, room: Room, pdf: bytes) -> None:
    packed, good = deflated(pdf), entry(b"good.pdf", pdf)
    whole = {"method": 8, "packed": packed}
    for changed, code in (
        (entry(b"victim.pdf", pdf, **whole, sizes=(len(packed), len(pdf) - 1)), "entry-malformed"),
        (entry(b"victim.pdf", pdf, **whole, sizes=(len(packed), 2**31)), "entry-malformed"),
        (entry(b"victim.pdf", pdf, **whole, crc=1), "entry-malformed"),
        (entry(b"victim.pdf", pdf, crc=1), "entry-malformed"),
        (entry(b"victim.pdf", pdf, sizes=(len(pdf), 5)), "entry-malformed"),
        (entry(b"victim.pdf", pdf, method=8, packed=packed + b"more"), "entry-malformed"),
        (entry(b"victim.pdf", pdf, method=8, packed=packed[:-5]), "entry-malformed"),
        (entry(b"victim.pdf", pdf, method=8, packed=b"\xff" * 500), "entry-malformed"),
        (entry(b"victim.pdf", b"", method=8, packed=b""), "entry-malformed"),
    ):
        told, end = await after(world, office, room, pdf, changed + good + END)
        assert (codes(told), end["complete"]) == ([code, "deposited"], True)


async def test_u_27_lengths_that_reach_beyond_the_file(world: World, office: Office, room: Room, pdf: bytes) -> None:
    good = entry(b"good.pdf", pdf)
    for changed in (
        entry(b"victim.pdf", pdf, sizes=(2**31, 2**31)),
        entry(b"other", pdf, sizes=(2**31, 2**31)),
        entry(b"victim.pdf", pdf, sizes=(len(pdf) + 500, len(pdf) + 500)),
        entry(b"victim.pdf", pdf, method=8, flags=8, packed=deflated(pdf), crc=0, sizes=(0, 0), behind=b"x" * 30),
        entry(b"victim.pdf", pdf, flags=8, crc=0, sizes=(0, 0)),
        b"PK\x03\x04" + bytes(10),
        b"\x00" * 100,
    ):
        _, end = await after(world, office, room, pdf, good + changed + END)
        assert not end["complete"]
        assert end["code"] in {"part-cut-short", "part-malformed", "entry-malformed", "entry-without-length"}


async def test_u_27_zip64(world: World, office: Office, room: Room, pdf: bytes) -> None:
    huge = 0xFFFFFFFF
    true = struct.pack("<HHQQ", 1, 16, len(pdf), len(pdf))
    told, end = await after(world, office, room, pdf, entry(b"good.pdf", pdf, sizes=(huge, huge), extra=true) + END)
    assert (codes(told), end["complete"]) == (["deposited"], True)
    for extra in (b"", struct.pack("<HHQ", 1, 8, len(pdf)), struct.pack("<HHQQ", 1, 16, 2**60, 2**60), b"\x01\x00\xff"):
        changed = entry(b"victim.pdf", pdf, sizes=(huge, huge), extra=extra)
        _, end = await after(world, office, room, pdf, entry(b"good.pdf", pdf) + changed + END)
        assert end["complete"] is False


async def test_u_27_a_file_that_two_readers_read_differently(
    world: World, office: Office, room: Room, pdf: bytes
) -> None:
    """The directory says another thing than the entries: what enters is what the manifest's digest says, or nothing."""
    shown = zipped({"victim.pdf": b"%PDF- shown" * 20})
    directory = shown[shown.index(b"PK\x01\x02") :]
    told, end = await after(world, office, room, pdf, entry(b"good.pdf", pdf) + directory)
    assert (codes(told), end["complete"]) == (["deposited"], True)
    batch_id = await office.registered([line("good", pdf)])
    in_front = await office.send(batch_id, b"MZ" + bytes(500) + zipped({"good.pdf": pdf}))
    assert (in_front.status_code, in_front.json()["code"]) == (400, "part-malformed")


async def test_u_27_entries_that_overlap(world: World, office: Office, room: Room, pdf: bytes) -> None:
    """A directory that points into another entry: read forwards, each byte is of one entry."""
    inner = entry(b"good.pdf", pdf)
    outer = entry(b"victim.pdf", inner)
    shown = zipped({"good.pdf": pdf})
    directory = bytearray(shown[shown.index(b"PK\x01\x02") :])
    struct.pack_into("<I", directory, 42, len(outer) - len(inner))
    told, end = await after(world, office, room, pdf, outer + bytes(directory), good=False)
    assert (codes(told), end["complete"]) == (["digest-mismatch"], True)


async def test_u_27_what_surrounds_an_entry_does_not_matter(
    world: World, office: Office, room: Room, pdf: bytes
) -> None:
    fields = struct.pack("<HH", 0x9999, 65_531) + b"x" * 65_531
    part = entry(b"good.pdf", pdf, extra=fields) + END + b"behind the end" * 1_000
    told, end = await after(world, office, room, pdf, part)
    assert (codes(told), end["complete"]) == (["deposited"], True)


async def test_u_27_names_are_compared_as_they_are_written(world: World, office: Office, pdf: bytes) -> None:
    """One letter in two spellings is two files, in the manifest and in a part."""
    whole, apart = "caf\u00e9.pdf", "cafe\u0301.pdf"
    batch_id = await office.registered([line("whole", pdf, file=whole), line("apart", pdf, file=apart)])
    told, _ = await office.sent(batch_id, zipped({apart: pdf, "CAF\u00c9.pdf": pdf}))
    assert [(one.get("item"), one.get("code")) for one in told] == [("apart", None), (None, "not-in-manifest")]
    assert await office.missing(batch_id) == ["whole"]


async def test_u_27_a_folder_that_holds_something_hides_nothing(
    world: World, office: Office, room: Room, pdf: bytes
) -> None:
    """Some programs deflate the nothing of a folder into two bytes; what else stands there is no entry of the part."""
    for packed in (deflated(b""), entry(b"victim.pdf", pdf)):
        folder = entry(b"folder/", b"", method=8, packed=packed)
        told, end = await after(world, office, room, pdf, folder + entry(b"good.pdf", pdf) + END)
        assert (codes(told), end) == (["deposited"], {"entries": 2, "complete": True, "code": None})


async def test_u_27_ten_thousand_entries(world: World, office: Office, room: Room, pdf: bytes) -> None:
    many = entry(b"good.pdf", pdf) + b"".join(entry(b"%d" % number, b"") for number in range(10_000)) + END
    told, end = await after(world, office, room, pdf, many)
    assert len(told) == 1_000
    assert (end["complete"], end["code"]) == (False, "part-has-too-many-entries")


async def test_u_27_no_more_files_stand_on_disk_than_may(world: World, office: Office, room: Room, pdf: bytes) -> None:
    limits = world.wiring.batches.limits
    pdfs = [world.sealed(text=str(number)) for number in range(limits.items_at_once_max + 8)]
    batch_id = await office.registered([line(f"d-{number}", one) for number, one in enumerate(pdfs)])
    part = zipped({f"d-{number}.pdf": one for number, one in enumerate(pdfs)})
    most = 0

    async def arriving() -> AsyncIterator[bytes]:
        nonlocal most
        for start in range(0, len(part), 4_096):
            most = max(most, len([name for name in room.names() if "/" in name]))
            yield part[start : start + 4_096]

    told, end = await office.sent(batch_id, arriving())
    assert (codes(told), end["complete"]) == (["deposited"] * len(pdfs), True)
    assert 1 < most <= limits.items_at_once_max
    assert room.names() == []
