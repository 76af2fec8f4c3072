"""Attack groups U and V at citizens' own files: what is uploaded, how, and how it comes back."""

import asyncio
import dataclasses
import io
import os
import secrets
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import pytest_asyncio
from PIL import Image, PngImagePlugin

from kit.workers import WorkerPool
from locker.uploads.desk import Uploader
from locker.uploads.files import Files
from locker.uploads.receive import Received
from locker.uploads.refusals import WorkerSpent
from locker.uploads.upload import COSTLY, upload
from locker.uploads.worker import PAGES_MAX
from tests.locker_world import AMINA, World, open_world, plain_pdf
from tests.own_files import jpeg, page_with, pdf_with, png, png_of, zipped

pytestmark = pytest.mark.asyncio(loop_scope="module")

UPLOADS_MAX = 12
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
HTML = b"<!doctype html><script>alert(1)</script>"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(dsns: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with open_world(
        dsns,
        s3,
        tmp_path_factory.mktemp("locker"),
        uploads_per_owner_max=UPLOADS_MAX,
        upload_bytes_per_owner_max=100_000,
        uploads_per_owner_per_hour=10_000,
        upload_max_bytes=1_000_000,
    ) as opened:
        yield opened


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def nothing_is_held(world: World) -> None:
    await world.rows("DELETE FROM locker.upload")
    await world.rows("DELETE FROM locker.upload_holding")


def headers(world: World) -> dict[str, str]:
    return {
        **world.citizen(AMINA, scope="documents:upload"),
        "Idempotency-Key": f'"{secrets.token_hex(8)}"',
    }


async def uploaded(world: World, content: bytes, name: str = "a.pdf") -> httpx.Response:
    return await world.locker.post(
        "/v1/uploads", headers=headers(world), files={"file": (name, content, "application/pdf")}
    )


async def posted(world: World, content: Any, content_type: str, **more: str) -> httpx.Response:
    return await world.locker.post(
        "/v1/uploads", headers={**headers(world), "Content-Type": content_type, **more}, content=content
    )


async def left(world: World) -> tuple[int, int, set[str]]:
    [row] = await world.rows(
        """SELECT (SELECT count(*) FROM locker.upload) AS uploads,
                  (SELECT count(*) FROM locker.deposit_intent) AS intents"""
    )
    return row["uploads"], row["intents"], await world.objects()


async def refused(world: World, content: bytes, *codes: str, name: str = "a.pdf", within_s: float = 20.0) -> None:
    """With one of these codes, soon, and nothing is left."""
    before, started = await left(world), time.monotonic()
    answer = await uploaded(world, content, name)
    assert time.monotonic() - started < within_s
    assert (answer.status_code, answer.json()["code"] in codes) == (422, True), answer.text
    assert await left(world) == before


@pytest.mark.parametrize(
    "content", [b"MZ" + b"\0" * 500, zipped(), HTML * 10, SVG, b"\x7fELF" + b"\0" * 200, b"GIF89a"]
)
@pytest.mark.parametrize("name", ["a.pdf", "a.jpg", "a.png"])
async def test_u_01_something_else_renamed(world: World, content: bytes, name: str) -> None:
    await refused(world, content, "type-not-accepted", name=name)


@pytest.mark.parametrize(
    "content",
    [
        plain_pdf() + zipped(),
        b"\n" * 1_000 + plain_pdf(),
        zipped() + plain_pdf(),
        jpeg() + zipped(),
        png() + zipped(),
        png() + b"anything",
        # Something that ends as a picture ends.
        png() + HTML + b"\0\0\0\0IEND\xaeB`\x82",
        jpeg() + HTML + b"\xff\xd9",
        jpeg() + HTML,
        jpeg() + plain_pdf(),
        # The directory of the ZIP says how much comes behind it: readers of ZIP find it, and %%EOF is at the end.
        plain_pdf() + zipped()[:-2] + len(plain_pdf()).to_bytes(2, "little") + plain_pdf(),
        b"\xff\xd8\xff\xfe\x00\x40" + HTML[:60].ljust(62, b" ") + jpeg()[2:],
    ],
)
async def test_u_02_polyglots(world: World, content: bytes) -> None:
    await refused(world, content, "two-files-in-one", "type-not-accepted")


@pytest.mark.parametrize(
    "catalog",
    [
        b"/OpenAction <</S /JavaScript /JS (app.alert\\(1\\))>>",
        b"/OpenAction <</S /Launch /F (cmd.exe)>>",
        b"/AA <</WC <</S /JavaScript /JS (1)>>>>",
        b"/Names <</EmbeddedFiles <</Names [(a) <</Type /Filespec /EF <<>>>>]>>>>",
        b"/AcroForm <</XFA [] /Fields []>>",
        b"/X#4aS 1 /J#53 (app.alert\\(1\\))",
    ],
)
async def test_u_10_a_pdf_that_acts(world: World, catalog: bytes) -> None:
    await refused(world, pdf_with(catalog), "file-acts")


@pytest.mark.parametrize(
    ("catalog", "more"),
    [
        (b"/OpenAction 5 0 R", {5: b"<</S 6 0 R /F (cmd.exe)>>", 6: b"/Launch"}),
        (b"/OpenAction 5 0 R", {5: b"<</S /ResetForm>>"}),
        (b"/OpenAction <</S /GoTo /D [3 0 R /Fit] /Next [5 0 R]>>", {5: b"<</S 6 0 R>>", 6: b"/SubmitForm"}),
        (b"/Other 5 0 R", {5: b"<</Subtype 6 0 R /Rect [0 0 1 1]>>", 6: b"/RichMedia"}),
    ],
)
async def test_u_10_names_that_stand_elsewhere(world: World, catalog: bytes, more: dict[int, bytes]) -> None:
    await refused(world, page_with(b"", b"", more, catalog=catalog), "file-acts")


async def test_u_11_an_encrypted_pdf(world: World, fixtures_dir: Path) -> None:
    for name in ("encrypted-aes256-userpw.pdf", "encrypted-aes256-signed-userpw.pdf"):
        await refused(world, (fixtures_dir / "pdf" / "bombs" / name).read_bytes(), "file-encrypted")


async def test_u_12_a_pixel_flood(world: World) -> None:
    for width, height in ((50_000, 50_000), (2**31 - 1, 1), (1, 31_000), (9_000, 9_000)):
        await refused(world, png_of(width, height), "too-many-pixels", "file-damaged", within_s=5)
    await refused(world, png_of(50_000, 50_000), "too-many-pixels", within_s=5)


async def test_u_12_a_picture_whose_text_explodes(world: World) -> None:
    text, out = PngImagePlugin.PngInfo(), io.BytesIO()
    text.add_text("a", "0" * 40_000_000, zip=True)
    Image.new("RGB", (2, 2)).save(out, "PNG", pnginfo=text)
    assert len(out.getvalue()) < 100_000
    await refused(world, out.getvalue(), "file-damaged", within_s=10)


@pytest.mark.parametrize("name", ["content-bomb-1GB.pdf", "xref-claims-50M.pdf", "nest-dict-in-trailer-50k.pdf"])
async def test_u_04_a_bomb_in_a_pdf_costs_a_worker_its_limits_at_most(
    world: World, fixtures_dir: Path, name: str
) -> None:
    content = (fixtures_dir / "pdf" / "bombs" / name).read_bytes()
    answer = await uploaded(world, content)
    assert answer.status_code in (201, 413, 422)
    if answer.status_code == 201:
        # It is kept, and only its picture is dear; nobody draws it but a worker.
        assert answer.json()["media_type"] == "application/pdf"
    assert (await uploaded(world, plain_pdf())).status_code == 201


async def test_u_04_one_citizen_does_not_cost_worker_after_worker(world: World, tmp_path: Path) -> None:
    wiring, owner = world.wiring, world.subs[AMINA]
    pool = WorkerPool(
        "costly",
        target="locker.uploads.worker:work",
        workers=1,
        waiting_max=1,
        address_space_bytes=1_280 * 1024 * 1024,
        cpu_s=10,
        wall_s=0.0,
        jobs_max=9,
    )
    desk = dataclasses.replace(wiring.uploads, files=Files(pool))
    path = tmp_path / "file"
    path.write_bytes(plain_pdf())
    received = Received(path=path, folder=tmp_path, file_name=None, sha256=b"", length=path.stat().st_size, fields={})
    for _ in range(COSTLY.attempts - 1):
        await wiring.throttle.count(wiring.db, COSTLY, owner)
    with pytest.raises(WorkerSpent):
        await upload(desk, received, Uploader(owner=owner, actor=owner), idempotency_key="costly")
    await pool.close()
    assert (await uploaded(world, plain_pdf())).status_code == 429
    await wiring.throttle.forget(wiring.db, COSTLY, owner)
    assert (await uploaded(world, plain_pdf())).status_code == 201


async def test_f_03_a_worker_killed_while_it_waited_is_not_the_files_doing(tmp_path: Path) -> None:
    """Or a good file would be too costly, and a few of them would shut its citizen out for an hour."""
    files, path = Files.start(workers=1, waiting_max=1, file_max_bytes=1_000_000), tmp_path / "file"
    path.write_bytes(plain_pdf())
    try:
        before = await files.inspect(path)
        for child in Path("/proc/self/task").glob("*/children"):
            for pid in map(int, child.read_text().split()):
                if b"locker.uploads.worker:work" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(0)
        assert await files.inspect(path) == before
    finally:
        await files.close()


async def test_u_09_more_pages_than_anybody_reads(world: World) -> None:
    answer = await uploaded(world, plain_pdf(pages=PAGES_MAX + 1))
    assert (answer.status_code, answer.json()["code"]) == (422, "too-many-pages"), answer.text
    assert await world.rows("SELECT 1 FROM locker.upload") == []


async def test_u_18_a_length_that_lies_and_a_body_that_never_ends(world: World) -> None:
    too_long = await uploaded(world, b"%PDF-1.7\n" + secrets.token_bytes(1_300_000))
    assert (too_long.status_code, too_long.json()["code"], too_long.json()["max_bytes"]) == (
        413,
        "file-too-large",
        1_000_000,
    )
    announced = await posted(world, b"", "multipart/form-data; boundary=b", **{"Content-Length": "999999999"})
    assert announced.status_code == 413
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n%PDF-1.7'
        while sent < 50_000_000:
            sent += 65_536
            yield b"0" * 65_536

    assert (await posted(world, endless(), "multipart/form-data; boundary=b")).status_code == 413

    async def breaking_off() -> AsyncIterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n%PDF-'

    cut = await posted(world, breaking_off(), "multipart/form-data; boundary=b")
    assert (cut.status_code, cut.json()["code"]) == (400, "multipart-malformed")
    assert (await left(world))[0] == 0


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (
            b"".join(b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n\r\n' for _ in range(10_000)) + b"--b--",
            "multipart/form-data; boundary=b",
        ),
        (
            b"".join(b'--b\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n\r\n' for _ in range(9)) + b"--b--",
            "multipart/form-data; boundary=b",
        ),
        (b"x" * 20_000, "multipart/form-data"),
        (b"x" * 20_000, "multipart/form-data; boundary=b"),
        (
            b'--b\r\nContent-Disposition: form-data; name="file"; filename="' + b"a" * 100_000 + b'"\r\n\r\nx\r\n--b--',
            "multipart/form-data; boundary=b",
        ),
        (b"%PDF-1.7", "application/pdf"),
        (b"", ""),
    ],
)
async def test_u_19_forms_that_are_none(world: World, content: bytes, content_type: str) -> None:
    started = time.monotonic()
    answer = await posted(world, content, content_type)
    assert answer.status_code == 400, answer.text
    assert time.monotonic() - started < 2.0


@pytest.mark.parametrize(
    "content", [b"", b"%", b"%PDF-", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", jpeg()[:300], png()[:60]]
)
async def test_u_25_empty_and_cut_files(world: World, content: bytes) -> None:
    await refused(world, content, "type-not-accepted", "file-damaged")


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("..\\..\\windows\\system32\\evil.pdf", "evil"),
        ("a\u202egpj.exe", "agpj.exe"),
        ("x" * 300 + ".pdf", "x" * 120),
        ("CON.pdf", "CON"),
        ("\U0001f600 صورة.jpg", "\U0001f600 صورة"),
        ("cafe\u0301.png", "caf\u00e9"),
        (".pdf", ""),
        ("...", ""),
        ("a  b   c.pdf", "a b c"),
        ("<img src=x onerror=alert(1)>.png", "<img src=x onerror=alert(1)>"),
    ],
)
async def test_u_20_file_names(world: World, sent: str, shown: str) -> None:
    answer = await uploaded(world, plain_pdf(), sent)
    assert answer.status_code == 201, answer.text
    assert answer.json()["name"] == shown
    [row] = await world.rows("SELECT object_key FROM locker.upload")
    assert len(row["object_key"]) == 35


@pytest.mark.parametrize("name", ['a"; filename="evil.exe', "a\r\nSet-Cookie: x=1", "a\u202eb", "عقد", "a;b=c%20d"])
async def test_v_23_a_name_in_a_header(world: World, name: str) -> None:
    # As raw as a program can send it: quoted where the form's own syntax asks for it (RFC 7578 §4.2).
    written = name.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")
    head = f'--b\r\nContent-Disposition: form-data; name="file"; filename="{written}"\r\n\r\n'
    sent = await posted(world, head.encode() + plain_pdf() + b"\r\n--b--\r\n", "multipart/form-data; boundary=b")
    assert sent.status_code == 201, sent.text
    got = await world.locker.get(f"/v1/uploads/{sent.json()['upload_id']}/file", headers=headers(world))
    disposition = got.headers["content-disposition"]
    assert disposition.startswith('attachment; filename="')
    assert disposition.count('"') == 2
    assert disposition.isascii()
    assert "set-cookie" not in got.headers
    assert quote("\u202e") not in disposition
    assert disposition.endswith(".pdf")


async def test_v_22_what_comes_back_is_never_run(world: World) -> None:
    for content in (plain_pdf(), jpeg(), png()):
        upload_id = (await uploaded(world, content, "a.html")).json()["upload_id"]
        got = await world.locker.get(f"/v1/uploads/{upload_id}/file", headers=headers(world))
        assert got.headers["x-content-type-options"] == "nosniff"
        assert got.headers["content-disposition"].startswith("attachment; ")
        assert "sandbox" in got.headers["content-security-policy"]
        assert got.headers["content-type"].split(";")[0] in ("application/pdf", "image/jpeg", "image/png")
        assert "private, no-store" in got.headers["cache-control"]
    await refused(world, HTML, "type-not-accepted")
    await refused(world, SVG, "type-not-accepted", name="a.png")


async def test_v_03_nobody_says_what_an_upload_is(world: World) -> None:
    answer = await world.locker.post(
        "/v1/uploads",
        headers=headers(world),
        files={"file": ("a.pdf", plain_pdf(), "application/pdf"), "assurance": (None, "verified")},
    )
    assert answer.status_code == 400


async def test_v_21_the_quota_names_its_limit(world: World) -> None:
    statuses = [(await uploaded(world, plain_pdf(str(number)))).status_code for number in range(UPLOADS_MAX + 1)]
    assert statuses == [201] * UPLOADS_MAX + [422]
    full = await uploaded(world, plain_pdf())
    assert (full.status_code, full.json()["code"]) == (422, "uploads-full")
    assert full.json()["limit"] == {"uploads": UPLOADS_MAX, "bytes": 100_000}
    # What is in the bin still takes its room; what is gone does not.
    [row] = await world.rows("SELECT upload_id FROM locker.upload LIMIT 1")
    path = f"/v1/uploads/{row['upload_id']}"
    await world.locker.delete(path, headers=headers(world))
    assert (await uploaded(world, plain_pdf())).status_code == 422
    await world.locker.delete(f"{path}?for_good=true", headers=headers(world))
    assert (await uploaded(world, plain_pdf())).status_code == 201


async def test_v_21_bytes_count_too_and_races_do_not_slip_through(world: World) -> None:
    out = io.BytesIO()
    Image.effect_noise((170, 170), 80).save(out, "PNG")
    noise = out.getvalue()
    assert 20_000 < len(noise) < 33_000
    answers = await asyncio.gather(*(uploaded(world, noise) for _ in range(6)))
    taken = sum(answer.status_code == 201 for answer in answers)
    assert taken == 100_000 // len(noise)
    [row] = await world.rows("SELECT uploads, bytes FROM locker.upload_holding")
    assert (row["uploads"], row["bytes"]) == (taken, taken * len(noise))


async def served(world: World, upload_id: str) -> httpx.Response:
    return await world.locker.get(f"/v1/uploads/{upload_id}/file", headers=headers(world))


async def test_v_15_one_flipped_bit_of_an_upload(world: World, s3: Any) -> None:
    upload_id = (await uploaded(world, jpeg())).json()["upload_id"]
    [row] = await world.rows("SELECT object_key FROM locker.upload")
    file = s3.bucket_folder / row["object_key"]
    changed = bytearray(file.read_bytes())
    changed[200] ^= 1
    file.write_bytes(changed)
    answer = await served(world, upload_id)
    assert (answer.status_code, answer.json()["code"]) == (502, "document-damaged")


async def test_v_19_a_row_that_points_to_another_file_or_says_another_name(world: World) -> None:
    first = (await uploaded(world, jpeg(), "one.jpg")).json()["upload_id"]
    second = (await uploaded(world, png(), "two.png")).json()["upload_id"]
    await world.rows(
        """UPDATE locker.upload u SET object_key = o.object_key, wrapped_key = o.wrapped_key, sha256 = o.sha256,
                  length = o.length, ciphertext_sha256 = o.ciphertext_sha256
             FROM locker.upload o WHERE u.upload_id = $1 AND o.upload_id = $2""",
        first,
        second,
    )
    assert (await served(world, first)).status_code == 502
    assert (await served(world, second)).status_code == 200
    assert (await world.locker.get(f"/v1/uploads/{first}", headers=headers(world))).status_code == 502
    listed = (await world.locker.get("/v1/uploads", headers=headers(world))).json()["uploads"]
    assert {one["upload_id"]: one["name"] for one in listed} == {first: "", second: "two"}


async def test_v_12_and_v_13_ranges_of_an_upload(world: World) -> None:
    upload_id = (await uploaded(world, jpeg(size=(200, 200)))).json()["upload_id"]
    whole = (await served(world, upload_id)).content
    path = f"/v1/uploads/{upload_id}/file"
    slice_ = await world.locker.get(path, headers={**headers(world), "Range": "bytes=10-99"})
    assert (slice_.status_code, slice_.content) == (206, whole[10:100])
    many = ",".join(f"{place}-{place + 9}" for place in range(1_000))
    assert (await world.locker.get(path, headers={**headers(world), "Range": f"bytes={many}"})).status_code == 200
    beyond = await world.locker.get(path, headers={**headers(world), "Range": f"bytes={len(whole)}-"})
    assert beyond.status_code == 416


async def test_v_09_method_tricks(world: World) -> None:
    upload_id = (await uploaded(world, plain_pdf())).json()["upload_id"]
    for method, path in (("PUT", ""), ("PATCH", ""), ("POST", "/file"), ("GET", "/restore"), ("PUT", "/file")):
        tricked = {**headers(world), "X-HTTP-Method-Override": "DELETE"}
        answer = await world.locker.request(method, f"/v1/uploads/{upload_id}{path}", headers=tricked)
        assert answer.status_code == 405, (method, path)
    overridden = await world.locker.get(
        f"/v1/uploads/{upload_id}", headers={**headers(world), "X-HTTP-Method-Override": "DELETE"}
    )
    assert overridden.json()["state"] == "held"
