"""Group G of the catalogue: forged, altered and weak signatures, judged in the limited worker."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from asn1crypto import core
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import pdf_name
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.pdf_utils.writer import PageObject
from pyhanko.sign.signers.pdf_signer import PdfSigner

from locker.signatures.judge import SignatureJudge, signature_workers
from locker.signatures.policies import DEPOSIT, VERIFY
from locker.signatures.schema import Policy, Verdict
from locker.signatures.seal import seal
from tests.unit.locker.signatures.signature_pki import (
    NOW,
    YEAR,
    Holder,
    Pki,
    crl,
    issue,
    name,
    pki,
    plain_pdf,
    sealed_pdf,
    signed_by_other_software,
    trust,
    update,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

DAY = timedelta(days=1)


class Bench:
    def __init__(self, judge: SignatureJudge, folder: Path) -> None:
        self._judge = judge
        self._path = folder / "document.pdf"

    async def judge(self, pdf: bytes, *, policy: Policy = VERIFY, at: datetime = NOW, **changes: Any) -> Verdict:
        self._path.write_bytes(pdf)
        return await self._judge.validate(self._path, trust=trust(**changes), policy=policy, at=at)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bench(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    pool = signature_workers(workers=1, wall_s=60.0)
    yield Bench(SignatureJudge(pool), tmp_path_factory.mktemp("judged"))
    await pool.close()


def add_page(writer: IncrementalPdfFileWriter) -> None:
    content = writer.add_object(generic.StreamObject(stream_data=b"BT /F1 30 Tf 60 700 Td (Annex) Tj ET"))
    writer.insert_page(PageObject(contents=content, media_box=(0, 0, 595, 842)))


def replace_content(writer: IncrementalPdfFileWriter) -> None:
    page = writer.root["/Pages"]["/Kids"][0]
    page[pdf_name("/Contents")] = writer.add_object(
        generic.StreamObject(stream_data=b"BT /F1 30 Tf 60 700 Td (Other) Tj ET")
    )
    writer.update_container(page)


def add_annotation(writer: IncrementalPdfFileWriter) -> None:
    page_ref = writer.root["/Pages"]["/Kids"].raw_get(0).reference
    note = generic.DictionaryObject(
        {
            pdf_name("/Type"): pdf_name("/Annot"),
            pdf_name("/Subtype"): pdf_name("/FreeText"),
            pdf_name("/Rect"): generic.ArrayObject(map(generic.NumberObject, (60, 600, 500, 800))),
            pdf_name("/Contents"): generic.pdf_string("Paid in full"),
        }
    )
    writer.register_annotation(page_ref, writer.add_object(note))


def fill_form(writer: IncrementalPdfFileWriter) -> None:
    fields = (reference.get_object() for reference in writer.root["/AcroForm"]["/Fields"])
    field = next(field for field in fields if field.get("/T") == "amount")
    field[pdf_name("/V")] = generic.pdf_string("900")
    writer.update_container(field)


async def test_g_01_one_byte_changed_in_the_signed_range(bench: Bench) -> None:
    pdf = sealed_pdf()
    [signature] = PdfFileReader(BytesIO(pdf)).embedded_signatures
    _, gap_start, gap_end, _ = signature.byte_range
    tried = [*range(9, gap_start - 1, max(1, gap_start // 40)), *range(gap_end + 1, len(pdf) - 8, 37)]
    assert len(tried) > 40
    for at in tried:
        altered = pdf[:at] + bytes([pdf[at] ^ 0x01]) + pdf[at + 1 :]
        verdict = await bench.judge(altered)
        assert not verdict.passed, at
        assert verdict.indication in ("TOTAL-FAILED", "NO_SIGNATURE_FOUND"), (at, verdict)
    content = pdf.index(b"An extract")
    verdict = await bench.judge(pdf[:content] + b"No" + pdf[content + 2 :])
    assert (verdict.indication, verdict.sub_indication) == ("TOTAL-FAILED", "HASH_FAILURE")


async def test_g_01_one_byte_changed_in_the_signature_itself(bench: Bench) -> None:
    pdf = sealed_pdf()
    [signature] = PdfFileReader(BytesIO(pdf)).embedded_signatures
    value = signature.signer_info["signature"].native.hex().encode()
    at = pdf.lower().index(value) + 20
    altered = pdf[:at] + (b"0" if pdf[at : at + 1] != b"0" else b"1") + pdf[at + 1 :]
    verdict = await bench.judge(altered)
    assert (verdict.indication, verdict.sub_indication) == ("TOTAL-FAILED", "SIG_CRYPTO_FAILURE")


@pytest.mark.parametrize("change", [add_page, replace_content, add_annotation])
@pytest.mark.parametrize("locked", [True, False])
async def test_g_02_content_added_after_signing_is_not_unaltered(bench: Bench, change: Any, locked: bool) -> None:
    verdict = await bench.judge(update(sealed_pdf(docmdp_locked=locked), change))
    assert (verdict.indication, verdict.sub_indication) == ("TOTAL-FAILED", "FORMAT_FAILURE")
    [signature] = verdict.signatures
    assert signature.changes in ("annotations", "other")
    assert not signature.covers_whole_file
    assert signature.reasons[0] == ("docmdp" if locked else "changed-after-signing")


async def test_g_05_form_fill_after_docmdp_1_is_a_violation(bench: Bench) -> None:
    verdict = await bench.judge(update(sealed_pdf(form=True, docmdp_locked=True), fill_form))
    [signature] = verdict.signatures
    assert (signature.indication, signature.sub_indication) == ("TOTAL-FAILED", "FORMAT_FAILURE")
    assert (signature.docmdp, signature.changes, signature.reasons[0]) == (1, "form-filling", "docmdp")


async def test_g_05_a_second_signature_after_docmdp_1_is_a_violation(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The library refuses to make it; an attacker does not ask the library.
    monkeypatch.setattr(PdfSigner, "_enforce_certification_constraints", lambda *_: None)
    second = signed_by_other_software(sealed_pdf(docmdp_locked=True), pki().rsa_seal, field="Second")
    verdict = await bench.judge(second)
    assert verdict.indication == "TOTAL-FAILED"
    assert verdict.signatures[0].reasons[0] == "docmdp"


async def test_g_06_an_expired_signer_counts_with_a_time_stamp_only(bench: Bench) -> None:
    holder = issue(name("Expires"), by=pki().issuing, not_after=NOW + 10 * DAY)
    known_then = tuple(crl(by, at=NOW + DAY) for by in (pki().root, pki().issuing))
    later = NOW + YEAR

    def made(stamped_at: datetime | None) -> bytes:
        stamper = pki().tsa.time_stamper(stamped_at) if stamped_at else None
        return seal(plain_pdf(), sealer=holder.sealer(), timestamper=stamper, at=NOW)

    stamped = await bench.judge(made(NOW), at=later, crls=known_then)
    assert stamped.passed
    assert stamped.signatures[0].proven_time == NOW
    out_of_bounds = ("INDETERMINATE", "OUT_OF_BOUNDS_NO_POE")
    unstamped = await bench.judge(made(None), at=later, crls=known_then)
    assert (unstamped.indication, unstamped.sub_indication) == out_of_bounds
    # A time stamp made after the expiry proves nothing about before.
    too_late = await bench.judge(made(NOW + 11 * DAY), at=later, crls=known_then)
    assert (too_late.indication, too_late.sub_indication) == out_of_bounds


async def test_g_08_a_home_made_authority_with_the_same_names_is_untrusted(bench: Bench) -> None:
    twin = Pki()
    pdf = seal(plain_pdf(), sealer=twin.seal.sealer(), timestamper=twin.tsa.time_stamper(), at=NOW)
    verdict = await bench.judge(pdf)
    [signature] = verdict.signatures
    real = (await bench.judge(sealed_pdf())).signatures[0]
    assert (signature.signer, signature.issuer) == (real.signer, real.issuer)
    assert (signature.indication, signature.sub_indication) == ("INDETERMINATE", "NO_CERTIFICATE_CHAIN_FOUND")
    assert signature.proven_time is None
    # Not even when it was registered by its names' owner's mistake: the register holds certificates, not names.
    registered = await bench.judge(pdf, policy=DEPOSIT, seals=(pki().seal.der,))
    assert "seal-not-registered" in registered.reasons
    # Nor with its root among the certificates that the signature brings.
    bringing = Holder(twin.seal.key, twin.seal.certificate, (twin.issuing, twin.root))
    assert not (await bench.judge(signed_by_other_software(plain_pdf(), bringing))).passed


@pytest.mark.parametrize("digest", ["sha1", "md5"])
async def test_g_10_a_weak_digest_is_refused(bench: Bench, digest: str) -> None:
    verdict = await bench.judge(signed_by_other_software(plain_pdf(), pki().rsa_seal, digest=digest))
    assert not verdict.passed
    assert "digest-algorithm" in verdict.signatures[0].reasons, verdict


async def test_g_10_a_short_rsa_key_is_refused(bench: Bench) -> None:
    holder = issue(name("Short key"), by=pki().issuing, key=rsa.generate_private_key(65537, 1024))
    verdict = await bench.judge(signed_by_other_software(plain_pdf(), holder))
    [signature] = verdict.signatures
    assert signature.key_bits == 1024
    assert (signature.indication, signature.reasons[0]) == ("INDETERMINATE", "key-size")


async def test_g_10_a_certificate_signed_with_sha_1_is_refused(bench: Bench) -> None:
    ca = issue(name("RSA CA"), by=pki().root, ca=True, key=rsa.generate_private_key(65537, 2048))
    holder = signed_with_sha_1(issue(name("Weak chain"), by=ca), by=ca)
    crls = (*pki().crls, crl(ca))
    verdict = await bench.judge(signed_by_other_software(plain_pdf(), holder), crls=crls)
    assert (verdict.indication, verdict.signatures[0].reasons[0]) == ("INDETERMINATE", "chain-algorithm")


def signed_with_sha_1(holder: Holder, *, by: Holder) -> Holder:
    """The certificate again, with the signature that its library does not make any more."""
    certificate = asn1_x509.Certificate.load(holder.der)
    algorithm = {"algorithm": "sha1_rsa", "parameters": core.Null()}
    certificate["tbs_certificate"]["signature"] = algorithm
    certificate["signature_algorithm"] = algorithm
    assert isinstance(by.key, rsa.RSAPrivateKey)
    tbs = certificate["tbs_certificate"].dump(force=True)
    certificate["signature_value"] = by.key.sign(tbs, padding.PKCS1v15(), hashes.SHA1())
    return Holder(holder.key, x509.load_der_x509_certificate(certificate.dump(force=True)), holder.chain)


async def test_g_18_two_signatures_in_three_revisions_are_each_reported(bench: Bench) -> None:
    first = seal(plain_pdf(), sealer=pki().seal.sealer(), docmdp_locked=False, field_name="First", at=NOW)
    second = seal(first, sealer=pki().rsa_seal.sealer(), docmdp_locked=False, field_name="Second", at=NOW)

    verdict = await bench.judge(second)
    assert verdict.passed
    assert verdict.revisions == 3
    assert [(s.field_name, s.revision, s.changes, s.covers_whole_file) for s in verdict.signatures] == [
        ("First", 1, "signatures", False),
        ("Second", 2, "none", True),
    ]

    third = await bench.judge(update(second, add_page))
    assert third.indication == "TOTAL-FAILED"
    assert third.revisions == 4
    assert [(s.field_name, s.changes, s.indication) for s in third.signatures] == [
        ("First", "other", "TOTAL-FAILED"),
        ("Second", "other", "TOTAL-FAILED"),
    ]

    between = update(first, add_page)
    late = seal(between, sealer=pki().rsa_seal.sealer(), docmdp_locked=False, field_name="Second", at=NOW)
    mixed = await bench.judge(late)
    assert [(s.field_name, s.changes, s.indication) for s in mixed.signatures] == [
        ("First", "other", "TOTAL-FAILED"),
        ("Second", "none", "TOTAL-PASSED"),
    ]


async def test_g_20_names_are_shown_without_controls_and_never_decide(bench: Bench) -> None:
    holder = issue(name("Ministry\u202e\u2066 of T\u0435sts\u200b"), by=pki().issuing)
    pdf = seal(
        plain_pdf(),
        sealer=holder.sealer(),
        timestamper=pki().tsa.time_stamper(),
        reason="a\u202eb",
        at=NOW,
    )
    verdict = await bench.judge(pdf, policy=DEPOSIT, seals=(pki().seal.der,))
    [signature] = verdict.signatures
    assert signature.signer is not None
    # The Cyrillic letter stays, as the certificate says it; what hides and reorders is gone.
    assert signature.signer.display == "Ministry of T\u0435sts"
    assert signature.stated_reason == "ab"
    assert signature.reasons[0] == "seal-not-registered"
