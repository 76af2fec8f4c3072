"""Each trap of the engine, as documents made here: what a verdict must say, whatever one attribute says."""

import contextlib
import re
import socket
import threading
from datetime import datetime, timedelta
from io import BytesIO
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import AuthorityInformationAccessOID
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import pdf_name
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import SigFieldSpec, append_signature_field
from pyhanko.sign.signers import PdfTimeStamper

from locker.signatures.policies import DEPOSIT, VERIFY, deposit_policy
from locker.signatures.schema import Verdict
from locker.signatures.seal import seal
from tests.unit.locker.signatures.signature_pki import (
    NOW,
    YEAR,
    Holder,
    Pki,
    crl,
    issue,
    judged,
    name,
    pki,
    plain_pdf,
    raw_pdf,
    sealed_pdf,
    signed_by_other_software,
    trust,
    update,
)

DAY = timedelta(days=1)


def sealed_by(holder: Holder, *, stamped_at: datetime | None = NOW, tsa: Holder | None = None) -> bytes:
    stamper = (tsa or pki().tsa).time_stamper(stamped_at) if stamped_at else None
    return seal(plain_pdf(), sealer=holder.sealer(), timestamper=stamper, at=NOW)


def short_lived(**changes: Any) -> Holder:
    return issue(name("Short"), by=pki().issuing, **({"not_after": NOW + 10 * DAY} | changes))


def answer(verdict: Verdict) -> tuple[str, str | None, str | None]:
    return verdict.indication, verdict.sub_indication, verdict.reasons[0] if verdict.reasons else None


def test_a_time_stamped_seal_passes_and_says_who_and_when() -> None:
    verdict = judged(sealed_pdf())
    assert (verdict.indication, verdict.pages, verdict.revisions) == ("TOTAL-PASSED", 1, 2)
    [signature] = verdict.signatures
    assert signature.level == "PAdES-BASELINE-T"
    assert signature.covers_whole_file
    assert (signature.changes, signature.docmdp) == ("none", 1)
    assert signature.signer is not None
    assert signature.signer.display == "Ministry of Tests"
    assert signature.issuer is not None
    assert signature.issuer.common_name == "Test Issuing"
    assert signature.proven_time == NOW
    assert signature.claimed_time == NOW
    assert (signature.digest_algorithm, signature.key_bits) == ("sha256", 256)
    assert signature.revocation is not None
    assert (signature.revocation.kind, signature.revocation.origin) == ("crl", "trust")


def test_an_rsa_seal_passes() -> None:
    verdict = judged(sealed_by(pki().rsa_seal))
    assert verdict.passed
    assert verdict.signatures[0].key_bits == 3072


def test_a_document_without_signatures_says_so() -> None:
    assert judged(plain_pdf()).indication == "NO_SIGNATURE_FOUND"


def test_the_deposit_policy_wants_a_time_stamp_and_a_registered_seal() -> None:
    mine = (pki().seal.der,)
    assert judged(sealed_pdf(), policy=DEPOSIT, seals=mine).passed
    assert answer(judged(sealed_pdf(), policy=DEPOSIT)) == (
        "INDETERMINATE",
        "CHAIN_CONSTRAINTS_FAILURE",
        "seal-not-registered",
    )
    without_time = sealed_pdf(time_stamped=False)
    assert answer(judged(without_time, policy=DEPOSIT, seals=mine)) == (
        "INDETERMINATE",
        "SIG_CONSTRAINTS_FAILURE",
        "level",
    )
    assert judged(without_time, policy=deposit_policy(minimum_level="B"), seals=mine).passed


def test_a_time_stamp_authority_is_no_signer() -> None:
    assert answer(judged(signed_by_other_software(plain_pdf(), pki().tsa))) == (
        "INDETERMINATE",
        "CHAIN_CONSTRAINTS_FAILURE",
        "key-usage",
    )


def test_a_signer_is_no_time_stamp_authority() -> None:
    verdict = judged(sealed_by(pki().seal, tsa=pki().rsa_seal))
    [signature] = verdict.signatures
    assert signature.proven_time is None
    assert signature.time_stamps[0].reasons == ("key-usage",)
    assert not judged(sealed_by(pki().seal, tsa=pki().rsa_seal), policy=DEPOSIT, seals=(pki().seal.der,)).passed


def test_a_time_stamp_of_an_unknown_authority_proves_nothing() -> None:
    stranger = issue(name("Other TSA"), by=None, time_stamping=True, non_repudiation=False)
    verdict = judged(sealed_by(pki().seal, tsa=stranger), policy=DEPOSIT, seals=(pki().seal.der,))
    assert verdict.signatures[0].level == "PAdES-BASELINE-T"
    assert answer(verdict) == ("INDETERMINATE", "SIG_CONSTRAINTS_FAILURE", "level")


def test_a_time_stamp_over_another_signature_proves_nothing() -> None:
    class Elsewhere(type(pki().tsa.time_stamper())):  # type: ignore[misc]
        def token(self, imprint: bytes, digest_algorithm: str, *, nonce: int | None = None) -> Any:
            return super().token(bytes(reversed(imprint)), digest_algorithm, nonce=nonce)

    tsa = pki().tsa
    pdf = seal(
        plain_pdf(),
        sealer=pki().seal.sealer(),
        timestamper=Elsewhere(tsa.key, tsa.der, tsa.chain_der, clock=lambda: NOW),
        at=NOW,
    )
    [signature] = judged(pdf).signatures
    # The level says what is there (as other judges have it); what it is worth stands beside it.
    assert signature.level == "PAdES-BASELINE-T"
    assert signature.proven_time is None
    assert signature.time_stamps[0].reasons == ("time-stamp-imprint",)
    assert "level" in judged(pdf, policy=DEPOSIT).signatures[0].reasons


def test_revocation_counts_by_the_time_that_is_proven() -> None:
    holder = issue(name("Revoked"), by=pki().issuing)
    later = NOW + 30 * DAY
    revoked_after = crl(pki().issuing, revoked=[(holder, NOW + 5 * DAY)], at=later)
    revoked_before = crl(pki().issuing, revoked=[(holder, NOW - DAY)], at=later)
    root = crl(pki().root, at=later)
    stamped, unstamped = sealed_by(holder), sealed_by(holder, stamped_at=None)

    after = judged(stamped, crls=(root, revoked_after), at=later)
    assert after.passed
    assert "revoked-later" in after.signatures[0].remarks
    no_poe = ("INDETERMINATE", "REVOKED_NO_POE", "revoked")
    assert answer(judged(unstamped, crls=(root, revoked_after), at=later)) == no_poe
    assert answer(judged(stamped, crls=(root, revoked_before), at=later)) == no_poe
    # What was not known then is not used to judge for then.
    assert judged(stamped, crls=(*pki().crls, revoked_before), at=NOW).passed


def test_a_revoked_authority_takes_its_seals_along() -> None:
    root = crl(pki().root, revoked=[(pki().issuing, NOW - DAY)])
    assert answer(judged(sealed_pdf(), crls=(root, pki().crls[1]))) == (
        "INDETERMINATE",
        "REVOKED_CA_NO_POE",
        "ca-revoked",
    )


def test_g_13_without_revocation_status_the_answer_is_try_later() -> None:
    try_later = ("INDETERMINATE", "TRY_LATER", "no-revocation-status")
    assert answer(judged(sealed_pdf(), crls=())) == try_later
    stale = tuple(crl(by, at=NOW - 30 * DAY) for by in (pki().root, pki().issuing))
    assert answer(judged(sealed_pdf(), crls=stale)) == try_later
    assert judged(sealed_pdf(), crls=(), policy=msgspec.structs.replace(VERIFY, revocation="if-present")).passed


def test_a_list_signed_by_another_authority_acquits_no_one() -> None:
    forged = crl(Holder(ec.generate_private_key(ec.SECP256R1()), pki().issuing.certificate))
    assert answer(judged(sealed_pdf(), crls=(pki().crls[0], forged)))[1] == "TRY_LATER"


def test_a_seal_made_before_its_certificate_was_valid_fails() -> None:
    early = Pki()
    holder = issue(name("Late"), by=early.issuing, not_before=NOW - DAY)
    pdf = seal(plain_pdf(), sealer=holder.sealer(), timestamper=early.tsa.time_stamper(NOW - 5 * DAY), at=NOW)
    assert answer(judged(pdf, made=early)) == ("TOTAL-FAILED", "NOT_YET_VALID", "not-yet-valid")


def test_a_time_stamp_from_the_future_proves_nothing() -> None:
    verdict = judged(sealed_by(pki().seal, stamped_at=NOW + DAY))
    assert verdict.signatures[0].proven_time is None


def test_a_certificate_issued_by_an_end_entity_has_no_chain_that_holds() -> None:
    child = issue(name("Child"), by=pki().seal)
    assert answer(judged(sealed_by(child))) == (
        "INDETERMINATE",
        "CERTIFICATE_CHAIN_GENERAL_FAILURE",
        "chain-rules",
    )


def test_bytes_after_the_end_are_refused() -> None:
    assert answer(judged(sealed_pdf() + b"\n")) == ("TOTAL-PASSED", None, None)
    assert answer(judged(sealed_pdf() + b"\nPK\x03\x04")) == ("TOTAL-FAILED", "FORMAT_FAILURE", "bytes-after-end")


def test_an_update_that_no_table_names_is_refused() -> None:
    pdf = sealed_pdf()
    startxref = pdf[pdf.rfind(b"startxref") :]
    added = pdf + b"\n4 0 obj\n<< /Length 3 >>\nstream\nBT \nendstream\nendobj\n" + startxref
    assert answer(judged(added)) == ("TOTAL-FAILED", "FORMAT_FAILURE", "unreferenced-update")


def test_one_broken_signature_does_not_hide_the_other() -> None:
    first = seal(plain_pdf(), sealer=pki().seal.sealer(), docmdp_locked=False, field_name="First", at=NOW)
    both = seal(first, sealer=pki().rsa_seal.sealer(), docmdp_locked=False, field_name="Second", at=NOW)
    at = both.rfind(b"/Contents <") + len(b"/Contents <")
    broken = both[:at] + b"FF" + both[at + 2 :]
    verdict = judged(broken)
    assert verdict.indication == "TOTAL-FAILED"
    assert {s.field_name: s.indication for s in verdict.signatures} == {
        "First": "TOTAL-PASSED",
        "Second": "TOTAL-FAILED",
    }


def test_a_changed_form_field_is_a_change() -> None:
    pdf = sealed_pdf(docmdp_locked=False, form=True)

    def fill(writer: IncrementalPdfFileWriter) -> None:
        fields = (reference.get_object() for reference in writer.root["/AcroForm"]["/Fields"])
        field = next(field for field in fields if field.get("/T") == "amount")
        field[pdf_name("/V")] = generic.pdf_string("900")
        writer.update_container(field)

    changed = judged(update(pdf, fill))
    assert answer(changed) == ("TOTAL-FAILED", "FORMAT_FAILURE", "changed-after-signing")
    assert changed.signatures[0].changes == "form-filling"


def test_an_empty_signature_field_is_a_change() -> None:
    pdf = sealed_pdf(docmdp_locked=False)
    added = update(pdf, lambda writer: append_signature_field(writer, SigFieldSpec("Later", box=(50, 700, 300, 760))))
    assert judged(added).signatures[0].changes == "form-filling"


def test_what_the_security_store_shares_with_a_page_is_no_archive_data() -> None:
    """A signed document whose DSS dictionary names the page's content must not have it replaced."""

    def name_content(writer: IncrementalPdfFileWriter) -> None:
        page = writer.root["/Pages"]["/Kids"][0]
        content = page.raw_get("/Contents")
        writer.root[pdf_name("/DSS")] = writer.add_object(
            generic.DictionaryObject({pdf_name("/Certs"): generic.ArrayObject([content])})
        )
        writer.update_root()

    prepared = update(plain_pdf(), name_content)
    pdf = seal(prepared, sealer=pki().seal.sealer(), docmdp_locked=False, at=NOW)
    assert judged(pdf).passed

    def replace_content(writer: IncrementalPdfFileWriter) -> None:
        stream = writer.root["/Pages"]["/Kids"][0]["/Contents"]
        stream._data = b"BT /F1 30 Tf 60 700 Td (Other) Tj ET"
        stream._encoded_data = None
        stream.pop("/Filter", None)
        writer.update_container(stream)

    assert judged(update(pdf, replace_content)).signatures[0].changes == "other"


@pytest.mark.parametrize(
    ("key", "value", "warning"),
    [
        ("/OpenAction", {"/S": "/JavaScript", "/JS": "app.alert(1)"}, "javascript"),
        ("/OpenAction", {"/S": "/Launch", "/F": "cmd.exe"}, "launch"),
        ("/AA", {"/WC": {"/S": "/JavaScript", "/JS": "x"}}, "javascript"),
        ("/OpenAction", {"/S": "/SubmitForm", "/F": "http://example.test/"}, "submit-form"),
        ("/XFA", "template", "xfa"),
    ],
)
def test_active_content_is_named_and_keeps_a_document_from_passing(key: str, value: Any, warning: str) -> None:
    def built(part: Any) -> generic.PdfObject:
        if isinstance(part, dict):
            return generic.DictionaryObject({pdf_name(k): built(v) for k, v in part.items()})
        return pdf_name(part) if part.startswith("/") else generic.pdf_string(part)

    def add(writer: IncrementalPdfFileWriter) -> None:
        writer.root[pdf_name(key)] = built(value)
        writer.update_root()

    pdf = seal(update(plain_pdf(), add), sealer=pki().seal.sealer(), at=NOW)
    verdict = judged(pdf)
    assert answer(verdict) == ("INDETERMINATE", "SIG_CONSTRAINTS_FAILURE", "active-content")
    assert warning in verdict.warnings
    assert verdict.signatures[0].passed


def test_an_active_name_spelled_with_escapes_is_seen() -> None:
    pdf = raw_pdf(
        b"<< /Type /Catalog /Pages 2 0 R /Open#41ction << /S /J#61vaScript /#4aS (app.alert\\(1\\)) >> >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 300] >>",
    )
    verdict = judged(seal(pdf, sealer=pki().seal.sealer(), at=NOW))
    assert "javascript" in verdict.warnings
    assert not verdict.passed


def test_nothing_is_fetched() -> None:
    """A certificate that names addresses of its issuer, its status and its list: no one connects."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.5)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    connections: list[Any] = []

    def listen() -> None:
        with contextlib.suppress(TimeoutError):
            connections.append(listener.accept())

    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        x509.CertificateBuilder()
        .subject_name(name("Caller"))
        .issuer_name(name("Unknown issuer"))
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(NOW - YEAR)
        .not_valid_after(NOW + YEAR)
        .add_extension(
            x509.AuthorityInformationAccess(
                [
                    x509.AccessDescription(method, x509.UniformResourceIdentifier(url))
                    for method in (AuthorityInformationAccessOID.OCSP, AuthorityInformationAccessOID.CA_ISSUERS)
                ]
            ),
            critical=False,
        )
        .add_extension(
            x509.CRLDistributionPoints(
                [x509.DistributionPoint([x509.UniformResourceIdentifier(url)], None, None, None)]
            ),
            critical=False,
        )
    )
    holder = Holder(key, builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()))
    pdf = signed_by_other_software(plain_pdf(), holder)
    thread = threading.Thread(target=listen)
    thread.start()
    assert judged(pdf).sub_indication == "NO_CERTIFICATE_CHAIN_FOUND"
    thread.join()
    listener.close()
    assert connections == []


def test_a_mesh_of_authorities_with_one_name_is_answered_at_once() -> None:
    same = name("Same CA")
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(6)]
    roots = [issue(same, by=None, key=key, ca=True) for key in keys]
    mesh = [issue(same, by=by, key=key, ca=True) for by in roots for key in keys if by.key is not key]
    leaf = issue(name("Meshed"), by=roots[0])
    holder = Holder(leaf.key, leaf.certificate, tuple(mesh))
    assert answer(judged(signed_by_other_software(plain_pdf(), holder)))[1] == "NO_CERTIFICATE_CHAIN_FOUND"


def test_an_archived_document_lives_on_after_its_certificates() -> None:
    """A document time stamp over validation data: B-LTA, and valid after the seal's certificate expired."""
    holder = short_lived(not_after=NOW + 20 * DAY)
    sealed = sealed_by_unlocked(holder)
    with_data = update(sealed, lambda writer: add_security_store(writer, [pki().root, pki().issuing]))
    output = BytesIO()
    stamper = PdfTimeStamper(pki().tsa.time_stamper(NOW + 2 * DAY), field_name="Archive")

    def stamp() -> None:
        stamper.timestamp_pdf(IncrementalPdfFileWriter(BytesIO(with_data)), "sha256", output=output)

    thread = threading.Thread(target=stamp)
    thread.start()
    thread.join()
    verdict = judged(output.getvalue(), crls=(), at=NOW + YEAR)
    assert verdict.passed, verdict
    [signature] = verdict.signatures
    assert (signature.level, signature.changes) == ("PAdES-BASELINE-LTA", "archive")
    assert signature.revocation is not None
    assert signature.revocation.origin == "document"
    assert [stamp.passed for stamp in verdict.time_stamps] == [True]


def sealed_by_unlocked(holder: Holder) -> bytes:
    return seal(
        plain_pdf(),
        sealer=holder.sealer(),
        timestamper=pki().tsa.time_stamper(),
        docmdp_locked=False,
        at=NOW,
    )


def add_security_store(writer: IncrementalPdfFileWriter, authorities: list[Holder]) -> None:
    lists = [writer.add_object(generic.StreamObject(stream_data=crl(by, at=NOW + DAY))) for by in authorities]
    writer.root[pdf_name("/DSS")] = writer.add_object(
        generic.DictionaryObject({pdf_name("/CRLs"): generic.ArrayObject(lists)})
    )
    writer.update_root()


def test_the_trust_that_judged_is_named() -> None:
    verdict = judged(sealed_pdf())
    assert (verdict.policy, verdict.trust_version) == (VERIFY.name, trust().version)
    assert len(verdict.sha256) == 64


def test_what_the_fuzz_campaign_found_is_a_verdict_and_no_fault() -> None:
    """A field's name that is no text, and signed attributes that break off."""
    sealed = sealed_pdf()
    assert b"/T (Seal)" in sealed
    for no_text in (b"/T <FEFF>", b"/T 1234 ", b"/T [[]]  "):
        assert not judged(sealed.replace(b"/T (Seal)", no_text, 1)).passed
    (digits,) = re.findall(rb"<([0-9A-Fa-f]{1000,})>", sealed)
    content_type = b"06092a864886f70d010903"
    at = digits.lower().index(content_type)
    for broken in (b"06892a864886f70d010903", b"1f092a864886f70d010903"):
        altered = sealed.replace(digits, digits[:at] + broken + digits[at + len(broken) :])
        assert not judged(altered).passed
