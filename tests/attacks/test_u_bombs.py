"""Group U of the catalogue where a parser is the target: each file is answered in its bound, and the next one too."""

import io
import time
import zipfile
import zlib
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import pdf_name
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.pdf_utils.writer import copy_into_new_writer

from locker.signatures.judge import SignatureJudge, signature_workers
from locker.signatures.policies import DEPOSIT, VERIFY, deposit_policy
from locker.signatures.schema import Policy, Verdict
from locker.signatures.seal import seal
from tests.unit.locker.signatures.signature_pki import NOW, judged, pki, plain_pdf, raw_pdf, sealed_pdf, trust, update

pytestmark = pytest.mark.asyncio(loop_scope="module")

MIB = 1024 * 1024
PAGES = b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>"
PAGE = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 300] >>"


class Bench:
    def __init__(self, judge: SignatureJudge, folder: Path) -> None:
        self._judge = judge
        self._path = folder / "document.pdf"

    async def judge(self, pdf: bytes, *, policy: Policy = VERIFY) -> Verdict:
        """Within the bound, and without spoiling the document after it."""
        self._path.write_bytes(pdf)
        given = trust(seals=(pki().seal.der,))
        verdict = await self._judge.validate(self._path, trust=given, policy=policy, at=NOW)
        self._path.write_bytes(sealed_pdf())
        assert (await self._judge.validate(self._path, trust=given, policy=DEPOSIT, at=NOW)).passed
        return verdict


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bench(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    # 5 s of a core and 512 MiB of addresses are the bound; the wall clock also holds what else this machine does.
    pool = signature_workers(workers=1, address_space_bytes=512 * MIB, cpu_s=5, wall_s=60.0)
    yield Bench(SignatureJudge(pool), tmp_path_factory.mktemp("judged"))
    await pool.close()


def answered(verdict: Verdict) -> bool:
    return not verdict.passed and "not-judged" not in verdict.reasons


async def test_u_02_a_pdf_that_is_also_a_zip_file(bench: Bench) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("evil.html", "<script>alert(1)</script>")
    verdict = await bench.judge(sealed_pdf() + archive.getvalue())
    assert verdict.indication == "TOTAL-FAILED"
    before = await bench.judge(archive.getvalue() + sealed_pdf())
    assert before.reasons == ("not-a-pdf",)
    # With an end mark after it, so that the gate lets it through.
    marked = await bench.judge(sealed_pdf() + archive.getvalue() + b"\n%%EOF")
    assert marked.indication == "TOTAL-FAILED"


async def test_u_02_a_pdf_header_at_offset_1000(bench: Bench) -> None:
    assert (await bench.judge(b"\n" * 1000 + sealed_pdf())).reasons == ("not-a-pdf",)


async def test_u_04_a_compressed_object_stream_of_300_megabytes(bench: Bench) -> None:
    body = b"1 0 << /Type /Catalog /Pages 2 0 R >>" + b" " * (300 * MIB)
    packed = zlib.compress(body, 9)
    assert len(packed) < 400_000
    verdict = await bench.judge(compressed_catalog(packed))
    assert answered(verdict), verdict
    assert verdict.reasons[0] in ("too-costly", "unreadable")


def compressed_catalog(packed: bytes) -> bytes:
    """A file whose catalog lies in an object stream, found by a cross-reference stream."""
    file = bytearray(b"%PDF-1.7\n")
    offsets = {}
    for number, made in (
        (2, PAGES),
        (3, PAGE),
        (
            4,
            b"<< /Type /ObjStm /N 1 /First 4 /Filter /FlateDecode /Length %d >>\nstream\n" % len(packed)
            + packed
            + b"\nendstream",
        ),
    ):
        offsets[number] = len(file)
        file += b"%d 0 obj\n" % number + made + b"\nendobj\n"
    start = len(file)
    entries = [
        (0, 0, 255),
        (2, 4, 0),
        *((1, offsets[number], 0) for number in (2, 3, 4)),
        (1, start, 0),
    ]
    table = b"".join(bytes([kind]) + where.to_bytes(4) + bytes([more]) for kind, where, more in entries)
    file += (
        b"5 0 obj\n<< /Type /XRef /Size 6 /W [1 4 1] /Root 1 0 R /Length %d >>\nstream\n" % len(table)
        + table
        + b"\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n" % start
    )
    return bytes(file)


async def test_u_04_the_same_file_without_the_bomb_is_read(bench: Bench) -> None:
    verdict = await bench.judge(compressed_catalog(zlib.compress(b"1 0 << /Type /Catalog /Pages 2 0 R >>")))
    assert verdict.indication == "NO_SIGNATURE_FOUND", verdict


async def test_u_04_a_page_of_300_megabytes_is_judged_without_being_drawn(bench: Bench) -> None:
    packed = zlib.compress(b" " * (300 * MIB), 9)
    content = b"<< /Filter /FlateDecode /Length %d >>\nstream\n" % len(packed) + packed + b"\nendstream"
    pdf = raw_pdf(
        b"<< /Type /Catalog /Pages 2 0 R >>",
        PAGES,
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 300] /Contents 4 0 R >>",
        content,
    )
    verdict = await bench.judge(seal(pdf, sealer=pki().seal.sealer(), at=NOW))
    assert verdict.signatures[0].intact


@pytest.mark.parametrize(
    "nested",
    [b"[" * 200_000 + b"]" * 200_000, b"<< /A " * 50_000 + b"1" + b" >>" * 50_000, b"[" * 200_000],
    ids=["arrays", "dictionaries", "unclosed"],
)
async def test_u_06_nested_without_end(bench: Bench, nested: bytes) -> None:
    in_catalog = await bench.judge(raw_pdf(b"<< /Type /Catalog /Pages 2 0 R /AcroForm %s >>" % nested, PAGES, PAGE))
    assert answered(in_catalog), in_catalog
    in_trailer = await bench.judge(
        raw_pdf(b"<< /Type /Catalog /Pages 2 0 R >>", PAGES, PAGE, trailer=b"/Info %s" % nested)
    )
    assert answered(in_trailer), in_trailer


async def test_u_06_objects_that_refer_to_themselves(bench: Bench) -> None:
    circle = raw_pdf(
        b"<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [4 0 R] >> >>",
        b"<< /Type /Pages /Kids [2 0 R] /Count 1 >>",
        PAGE,
        b"<< /T (a) /Kids [4 0 R] /Parent 4 0 R >>",
    )
    assert answered(await bench.judge(circle))


def form_of(*nodes: bytes) -> bytes:
    """A tree of fields that begins with the first of ``nodes``, which are objects 4, 5, 6 …"""
    return raw_pdf(b"<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [4 0 R] >> >>", PAGES, PAGE, *nodes)


async def test_u_06_a_tree_of_thirty_fields_with_a_thousand_million_ways(bench: Bench) -> None:
    ways = (b"<< /T (a) /Kids [%d 0 R %d 0 R] >>" % (number, number) for number in range(5, 35))
    verdict = await bench.judge(form_of(*ways, b"<< /T (a) >>"))
    # Not "too-costly": that is a judge's five seconds and its life.
    assert verdict.reasons == ("unreadable",)


async def test_u_06_a_tree_of_three_thousand_levels_costs_as_little_as_its_first_ones() -> None:
    levels = (b"<< /T (a) /Kids [%d 0 R] >>" % number for number in range(5, 3_005))
    pdf = form_of(*levels, b"<< /T (a) >>")
    began_s = time.process_time()
    verdict = judged(pdf, policy=VERIFY)
    assert verdict.reasons == ("unreadable",)
    # Looking up from each field to the first was a second and more; of processor time, whatever else runs here.
    assert time.process_time() - began_s < 0.5


async def test_u_08_thirty_thousand_signature_fields(bench: Bench) -> None:
    count = 30_000
    fields = b" ".join(b"%d 0 R" % number for number in range(4, 4 + count))
    pdf = raw_pdf(
        b"<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [%s] >> >>" % fields,
        PAGES,
        PAGE,
        *(b"<< /FT /Sig /T (f%d) /V %d 0 R >>" % (number, 4 + count) for number in range(count)),
        b"<< /Type /Sig /Filter /Adobe.PPKLite /SubFilter /ETSI.CAdES.detached /ByteRange [0 1 2 3] /Contents <00> >>",
    )
    assert answered(await bench.judge(pdf))


async def test_u_08_a_size_of_two_to_the_31(bench: Bench) -> None:
    plain = raw_pdf(b"<< /Type /Catalog /Pages 2 0 R >>", PAGES, PAGE)
    for size in (b"2147483648", b"4294967296", b"99999999999999999999"):
        assert answered(await bench.judge(plain.replace(b"/Size 4", b"/Size " + size)))
    hidden = plain.replace(b"/Size 4", b"/Params << /X 1 /Size 2147483648")
    assert answered(await bench.judge(hidden))


async def test_u_08_lengths_that_lie(bench: Bench) -> None:
    for length in (b"-1", b"-2147483648", b"999999999", b"4 0 R", b"(x)"):
        pdf = raw_pdf(
            b"<< /Type /Catalog /Pages 2 0 R /Metadata 4 0 R /DSS << /CRLs [4 0 R] >> >>",
            PAGES,
            PAGE,
            b"<< /Length %s >>\nstream\nabc\nendstream" % length,
        )
        assert answered(await bench.judge(pdf)), length


@pytest.mark.parametrize(
    ("action", "warning"),
    [
        ({"/S": "/JavaScript", "/JS": "app.alert(1)"}, "javascript"),
        ({"/S": "/Launch", "/F": "cmd.exe"}, "launch"),
    ],
)
async def test_u_10_active_content_is_listed_and_its_outcome_is_policy(
    bench: Bench, action: dict[str, str], warning: str
) -> None:
    def add(writer: IncrementalPdfFileWriter) -> None:
        writer.root[pdf_name("/OpenAction")] = generic.DictionaryObject(
            {
                pdf_name(key): pdf_name(value) if value.startswith("/") else generic.pdf_string(value)
                for key, value in action.items()
            }
        )
        writer.update_root()

    pdf = seal(update(plain_pdf(), add), sealer=pki().seal.sealer(), timestamper=pki().tsa.time_stamper(), at=NOW)
    refused = await bench.judge(pdf, policy=DEPOSIT)
    assert (refused.indication, refused.reasons[0]) == ("INDETERMINATE", "active-content")
    assert warning in refused.warnings
    permitted = deposit_policy(active_content=frozenset({"javascript", "launch", "open-action"}))
    assert (await bench.judge(pdf, policy=permitted)).passed


async def test_u_11_an_encrypted_document(bench: Bench) -> None:
    for password in ("secret", ""):
        writer = copy_into_new_writer(PdfFileReader(BytesIO(plain_pdf())))
        writer.encrypt(owner_pass="owner", user_pass=password)
        output = BytesIO()
        writer.write(output)
        verdict = await bench.judge(output.getvalue(), policy=DEPOSIT)
        assert answered(verdict)
        assert "encrypted" in verdict.warnings
        assert "encrypted" in verdict.reasons


async def test_u_25_an_empty_file_and_one_byte(bench: Bench) -> None:
    for pdf in (b"", b"%", b"%PDF-", b"%PDF-1.7\n%%EOF"):
        assert (await bench.judge(pdf)).indication == "TOTAL-FAILED"


async def test_u_08_a_document_that_costs_too_much_is_answered_and_its_worker_replaced(
    tmp_path: Path,
) -> None:
    """With so little memory that any document is too much: the verdict says so, and nothing is raised."""
    pool = signature_workers(workers=1, address_space_bytes=128 * MIB, wall_s=60.0)
    path = tmp_path / "large.pdf"
    path.write_bytes(plain_pdf(pad_bytes=60 * MIB))
    policy = msgspec.structs.replace(VERIFY, size_max_bytes=100 * MIB)
    try:
        verdict = await SignatureJudge(pool).validate(path, trust=trust(), policy=policy, at=NOW)
        assert (verdict.indication, verdict.sub_indication, verdict.reasons) == (
            "INDETERMINATE",
            "GENERIC",
            ("too-costly",),
        )
        assert verdict.size_bytes == path.stat().st_size
        path.write_bytes(sealed_pdf())
        assert (await SignatureJudge(pool).validate(path, trust=trust(), policy=VERIFY, at=NOW)).passed
    finally:
        await pool.close()
