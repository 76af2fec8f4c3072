"""Pages become pictures in a process that may die."""

import contextlib
import io
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from PIL import Image
from reportlab.pdfgen import canvas

from locker.rendering.pictures import PIXELS_MAX, WIDTH_PX, Pictures
from locker.rendering.refusals import NoPreview
from locker.rendering.schema import PageWanted
from locker.rendering.target import picture
from tests.locker_world import plain_pdf


async def frames(data: bytes) -> AsyncIterator[bytes]:
    yield data


@pytest.fixture
async def pictures() -> AsyncIterator[Pictures]:
    started = Pictures.start(workers=1, waiting_max=4, length_max=25_000_000)
    yield started
    await started.close()


def wanted(path: Path, **changes: object) -> PageWanted:
    values = {"path": str(path), "page": 1, "width_px": WIDTH_PX, "pixels_max": PIXELS_MAX, **changes}
    return PageWanted(**values)  # type: ignore[arg-type]


async def test_a_page_is_a_png_of_the_width_asked(pictures: Pictures) -> None:
    pdf = plain_pdf(pages=2)
    png = await pictures.picture(frames(pdf), length=len(pdf), page=2)
    image = Image.open(io.BytesIO(png))
    assert image.format == "PNG"
    assert abs(image.width - WIDTH_PX) <= 1


async def test_a_page_that_is_not_there_and_bytes_that_are_no_pdf_have_no_preview(pictures: Pictures) -> None:
    for data, page in ((plain_pdf(), 2), (plain_pdf(), 0), (b"nonsense" * 50, 1), (b"%PDF-1.7\n", 1)):
        with pytest.raises(NoPreview):
            await pictures.picture(frames(data), length=len(data), page=page)


async def test_a_watermark_changes_the_picture_everywhere(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(plain_pdf())
    plain = Image.open(io.BytesIO(picture(wanted(path)).png))
    marked = Image.open(io.BytesIO(picture(wanted(path, watermark=("Shared with X", "2026", "ref"))).png))
    for left in range(0, plain.width - 500, 250):
        for top in range(0, plain.height - 500, 250):
            box = (left, top, left + 500, top + 500)
            assert plain.crop(box).tobytes() != marked.crop(box).tobytes(), box


async def test_a_name_in_arabic_or_tifinagh_is_drawn_and_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(plain_pdf())

    def drawn(name: str) -> bytes:
        return picture(wanted(path, watermark=(name, "2026", "ref"))).png

    questions = {drawn("?" * length) for length in range(1, 12)}
    names = ["بنك المغرب", "ⵉⵎⴰⵣⵉⵖⵏ", "Société"]
    assert len({drawn(name) for name in names} | questions) == len(names) + len(questions)
    # What no font of ours has is asked about, and a page is never without its mark for it.
    assert drawn("漢字") == drawn("??")


@pytest.mark.parametrize("wide", ["W", "ﷺ", "\u202eW", "ẁ\u0300\u0301\u0302"])
async def test_a_watermark_of_wide_or_piled_letters_covers_the_page_and_hides_nothing(
    tmp_path: Path, wide: str
) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(plain_pdf())
    plain = Image.open(io.BytesIO(picture(wanted(path)).png))
    marked = Image.open(io.BytesIO(picture(wanted(path, watermark=((wide * 80)[:80], "2026", "ref"))).png))
    for left in range(0, plain.width - 500, 250):
        for top in range(0, plain.height - 500, 250):
            box = (left, top, left + 500, top + 500)
            assert plain.crop(box).tobytes() != marked.crop(box).tobytes(), box
    # Where there was paper there is mostly paper still.
    before, after = (sum(image.convert("L").histogram()[250:]) for image in (plain, marked))
    assert after > before * 0.6


@pytest.mark.parametrize("size", [(14_400, 14_400), (14_400, 3), (3, 14_400), (1, 1)])
async def test_u_12_a_page_of_any_size_makes_a_picture_of_bounded_size(
    tmp_path: Path, size: tuple[float, float]
) -> None:
    buffer = io.BytesIO()
    page = canvas.Canvas(buffer, pagesize=size)
    page.rect(0, 0, *size, fill=1)
    page.showPage()
    page.save()
    path = tmp_path / "a.pdf"
    path.write_bytes(buffer.getvalue())
    image = Image.open(io.BytesIO(picture(wanted(path)).png))
    assert image.width * image.height <= PIXELS_MAX * 1.01


async def test_the_plain_file_is_gone_afterwards(tmp_path: Path) -> None:
    pictures = Pictures.start(workers=1, waiting_max=1, length_max=25_000_000, folder=tmp_path)
    try:
        pdf = plain_pdf()
        await pictures.picture(frames(pdf), length=len(pdf), page=1)
        with pytest.raises(NoPreview):
            await pictures.picture(frames(b"x" * 100), length=100, page=1)
    finally:
        await pictures.close()
    assert list(tmp_path.iterdir()) == []


async def test_u_28_a_killed_child_is_no_preview_and_the_next_page_is_drawn(pictures: Pictures) -> None:
    pdf = plain_pdf()
    assert await pictures.picture(frames(pdf), length=len(pdf), page=1)
    [worker] = pictures._pool._alive

    async def slow() -> AsyncIterator[bytes]:
        yield pdf
        os.kill(worker.process.pid, signal.SIGSEGV)

    with contextlib.suppress(NoPreview):
        await pictures.picture(slow(), length=len(pdf), page=1)
    assert await pictures.picture(frames(pdf), length=len(pdf), page=1)
