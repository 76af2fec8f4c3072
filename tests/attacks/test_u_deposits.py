"""Attack group U at the deposit: what is uploaded, and how."""

import asyncio
import io
import json
import os
import secrets
import time
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.locker_world import AMINA, BIRTH, World, open_world, plain_pdf

pytestmark = pytest.mark.asyncio(loop_scope="module")

DOCUMENTS_MAX = 60
EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(dsns: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with open_world(dsns, s3, tmp_path_factory.mktemp("locker")) as opened:
        assert (await opened.deposit()).status_code == 201
        yield opened


async def refused(world: World, pdf: bytes, *, within_s: float = 10.0, **members: Any) -> dict[str, Any]:
    """A problem document, soon, and nothing left."""
    before, started = await world.counts(), time.monotonic()
    answer = await world.deposit(pdf, **members)
    assert time.monotonic() - started < within_s
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    assert await world.counts() == before
    problem: dict[str, Any] = answer.json()
    assert 400 <= problem["status"] < 500
    return problem


async def posted(world: World, content: bytes, content_type: str) -> httpx.Response:
    headers = {**world.machine(), "Idempotency-Key": f'"{secrets.token_hex(8)}"', "Content-Type": content_type}
    return await world.locker.post("/v1/deposits", headers=headers, content=content)


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a", "b" * 100)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [b"MZ" + b"\x00" * 500, zipped(), b"<!doctype html><script>alert(1)</script>" * 10, b"<svg/>" * 50, EICAR * 2],
)
async def test_u_01_something_else_renamed_pdf(world: World, content: bytes) -> None:
    problem = await refused(world, content, filename="extrait.pdf")
    assert (problem["status"], problem["code"]) == (422, "not-a-pdf")


async def test_u_02_polyglots(world: World) -> None:
    for content in (zipped() + world.sealed(), b"\n" * 1000 + world.sealed(), world.sealed() + zipped()):
        assert (await refused(world, content))["status"] == 422


@pytest.mark.parametrize(
    "name",
    [
        "content-bomb-1GB-signed.pdf",
        "content-bomb-1GB.pdf",
        "objstm-bomb-200MB.pdf",
        "xref-claims-50M.pdf",
        "xrefstream-30M-entries.pdf",
    ],
)
async def test_u_04_flate_bombs(world: World, fixtures_dir: Path, name: str) -> None:
    problem = await refused(world, (fixtures_dir / "pdf" / "bombs" / name).read_bytes(), within_s=30)
    assert (problem["status"], problem["code"]) == (422, "not-authentic")


@pytest.mark.parametrize("name", ["acroform-depth-3000.pdf", "nest-dict-in-trailer-50k.pdf"])
async def test_u_06_deep_nests_from_others(world: World, fixtures_dir: Path, name: str) -> None:
    assert (await refused(world, (fixtures_dir / "pdf" / "bombs" / name).read_bytes(), within_s=30))["status"] == 422


@pytest.mark.parametrize(("opening", "closing", "depth"), [(b"[", b"]", 200_000), (b"<</A ", b">>", 50_000)])
async def test_u_06_deep_nests(world: World, opening: bytes, closing: bytes, depth: int) -> None:
    nest = b"9 0 obj\n" + opening * depth + b"1" + closing * depth + b"\nendobj\n"
    pdf = plain_pdf().replace(b"1 0 obj", nest + b"1 0 obj", 1)
    assert (await refused(world, pdf, within_s=30))["status"] == 422


async def test_u_08_absurd_claims(world: World) -> None:
    pdf = plain_pdf()
    fields = b"9 0 obj\n<</Fields [" + b"8 0 R " * 30_000 + b"]>>\nendobj\n"
    for claimed in (
        pdf.replace(b"/Size ", b"/Size 2147483648%", 1),
        pdf.replace(b"/Length ", b"/Length -", 1),
        pdf.replace(b"1 0 obj", fields + b"1 0 obj", 1),
    ):
        assert claimed != pdf
        assert (await refused(world, claimed, within_s=30))["status"] == 422


async def test_u_10_a_script_inside_is_refused_and_listed_to_the_depositor(world: World) -> None:
    problem = await refused(world, world.sealed_from(_with_javascript()))
    assert (problem["code"], problem["warnings"]) == ("not-authentic", ["javascript", "open-action"])
    assert "active-content" in problem["reasons"]


async def test_u_11_an_encrypted_document(world: World, fixtures_dir: Path) -> None:
    for name in ("encrypted-aes256-userpw.pdf", "encrypted-aes256-signed-userpw.pdf"):
        assert (await refused(world, (fixtures_dir / "pdf" / "bombs" / name).read_bytes()))["status"] == 422


async def test_u_18_a_body_that_is_too_long_or_breaks_off(world: World) -> None:
    too_long = await world.deposit(b"%PDF-1.7\n" + os.urandom(26_000_000))
    assert (too_long.status_code, too_long.json()["max_bytes"]) == (413, 25_000_000)
    announced = await posted(world, b"", "multipart/form-data; boundary=b")
    assert announced.status_code == 400

    async def breaking_off() -> AsyncIterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="document"\r\n\r\n%PDF-'

    headers = {**world.machine(), "Idempotency-Key": '"cut"', "Content-Type": "multipart/form-data; boundary=b"}
    cut = await world.locker.post("/v1/deposits", headers=headers, content=breaking_off())
    assert (cut.status_code, cut.json()["code"]) == (400, "multipart-malformed")


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (
            b"".join(b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n\r\n' for _ in range(10_000)) + b"--b--",
            "b",
        ),
        (b"no boundary at all" * 10_000, "b"),
        (
            b'--b\r\nContent-Disposition: form-data; name="document"; filename="'
            + b"n" * 100_000
            + b'"\r\n\r\nx\r\n--b--',
            "b",
        ),
        (b"x" * 100, ""),
        (b"--\r\n", '"'),
    ],
)
async def test_u_19_hostile_multipart(world: World, content: bytes, content_type: str) -> None:
    media_type = f"multipart/form-data; boundary={content_type}" if content_type else "multipart/form-data"
    await world.locker.get("/v1/deposits/x", headers=world.machine())
    started = time.monotonic()
    answer = await posted(world, content, media_type)
    assert (answer.status_code, answer.json()["code"]) == (400, "multipart-malformed")
    assert time.monotonic() - started < 1.0


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "a\x00b.pdf", "n" * 300, "CON", "😀.pdf", "e\u0301.pdf", "\u202efdp.exe", "..", ""]
)
async def test_u_20_file_names_are_not_used(world: World, name: str) -> None:
    answer = await world.deposit(filename=name)
    assert answer.status_code in (201, 400), answer.text
    if answer.status_code == 201:
        [row] = await world.rows("SELECT * FROM locker.document WHERE document_id = $1", answer.json()["document_id"])
        assert not name.strip(".") or name not in str(row)


async def test_u_21_a_wrong_digest(world: World) -> None:
    digest = {"Repr-Digest": "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"}
    problem = await refused(world, world.sealed(), headers=digest)
    assert (problem["status"], problem["code"]) == (422, "digest-mismatch")


async def test_u_22_a_repeated_key_is_one_document(world: World) -> None:
    pdf = world.sealed()
    before = await world.counts()
    answers = [await world.deposit(pdf, key="u-22") for _ in range(3)]
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert (await world.counts())["document"] == before["document"] + 1


@pytest.mark.parametrize("content", [b"", b"%", b"\x00"])
async def test_u_25_empty_and_one_byte_files(world: World, content: bytes) -> None:
    problem = await refused(world, content)
    assert (problem["status"], problem["code"]) == (422, "not-a-pdf")


async def test_d_07_hostile_json(world: World) -> None:
    def part(text: str) -> bytes:
        pdf = world.sealed()
        return (
            b'--b\r\nContent-Disposition: form-data; name="document"\r\nContent-Type: application/pdf\r\n\r\n'
            + pdf
            + b'\r\n--b\r\nContent-Disposition: form-data; name="deposit"\r\nContent-Type: application/json\r\n\r\n'
            + text.encode("utf-8", "surrogatepass")
            + b"\r\n--b--\r\n"
        )

    right = json.dumps({"type": BIRTH, "subject": {"uid": AMINA}, "fields": {"family_name": "x"}})
    await world.owner_db.execute("UPDATE locker.document_type SET validity_days = 90 WHERE type = $1", BIRTH)
    for text, status in (
        (right.replace('"type"', '"type": "OTHER", "type"', 1), 422),
        ("[" * 30_000 + "]" * 30_000, 422),
        ('{"a":' * 10_000 + "1" + "}" * 10_000, 422),
        ("1" * 60_000, 422),
        (right.replace('"x"', "NaN"), 422),
        (right.replace("x", "\ud800"), 422),
        (right.replace('"x"', '"\\ud800"'), 422),
        (right.replace('"x"', '"\\u0000"'), 422),
        (right.replace('"type"', '"\\u0000": 1, "type"', 1), 422),
        (right.replace('"x"', '"x", "n": 1e999'), 422),
        (right.replace('"type"', '"valid_from": "9999-12-31", "type"', 1), 422),
        ("{" + " " * 70_000 + "}", 413),
        ("", 422),
    ):
        answer = await posted(world, part(text), "multipart/form-data; boundary=b")
        assert answer.status_code == status, text[:50]
        assert answer.json()["code"] == {413: "body-too-large", 422: "deposit-invalid"}[status], text[:50]
    await world.owner_db.execute("UPDATE locker.document_type SET validity_days = NULL WHERE type = $1", BIRTH)


async def test_d_09_a_compressed_body(world: World) -> None:
    headers = {**world.machine(), "Content-Encoding": "gzip", "Idempotency-Key": '"z"'}
    assert (await world.locker.post("/v1/deposits", headers=headers, content=b"\x1f\x8b")).status_code == 415


async def test_deposits_beside_a_bomb_go_on(world: World, fixtures_dir: Path) -> None:
    bomb = (fixtures_dir / "pdf" / "bombs" / "cert-mesh-8.pdf").read_bytes()
    bombed, good = await asyncio.gather(world.deposit(bomb), world.deposit())
    assert (bombed.status_code, good.status_code) == (422, 201)


def _with_javascript() -> bytes:
    """A page that opens with a script."""
    from pyhanko.pdf_utils import generic
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

    writer = IncrementalPdfFileWriter(io.BytesIO(plain_pdf()))
    writer.root["/OpenAction"] = generic.DictionaryObject(
        {
            generic.pdf_name("/S"): generic.pdf_name("/JavaScript"),
            generic.pdf_name("/JS"): generic.TextStringObject("app.alert(1)"),
        }
    )
    writer.update_root()
    written = io.BytesIO()
    writer.write(written)
    return written.getvalue()
