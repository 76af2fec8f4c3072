"""Reasons that no other test asks for: each by a signature that has this fault."""

import re
import threading
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO
from typing import Any

from asn1crypto import cms
from asn1crypto import x509 as x509_
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import pdf_name
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import SigFieldSpec, append_signature_field
from pyhanko.sign.signers import PdfTimeStamper

from tests.unit.locker.signatures.data_signatures import DATA, b64u, by_hash, cades, jades, judged, raw_value
from tests.unit.locker.signatures.signature_pki import (
    NOW,
    YEAR,
    crl,
    issue,
    name,
    pki,
    plain_pdf,
    sealed_pdf,
    signed_by_other_software,
    update,
)
from tests.unit.locker.signatures.signature_pki import judged as judged_pdf

Change = Callable[[Any], None]


def changed(change: Change, **how: Any) -> bytes:
    """A CAdES signature whose container is not what it was."""
    whole = cms.ContentInfo.load(cades(**how))
    change(whole["content"])
    # What is not changed keeps the encoding that it had.
    return bytes(whole.dump())


def signed_anew(attributes: bytes) -> bytes:
    """The same with these signed attributes, as long as before, and a signature value over them."""
    whole, by = cades(by=pki().rsa_seal), pki().rsa_seal
    signer = cms.ContentInfo.load(whole)["content"]["signer_infos"][0]
    before, value = signer["signed_attrs"].dump(), signer["signature"].native
    assert len(before) == len(attributes)
    assert whole.count(before[1:]) == 1
    return whole.replace(before[1:], attributes[1:]).replace(value, raw_value(by, attributes))


def attributes_of(signature: bytes) -> list[bytes]:
    attributes = cms.ContentInfo.load(signature)["content"]["signer_infos"][0]["signed_attrs"]
    return [bytes(attribute.dump()) for attribute in attributes]


def set_of(members: list[bytes]) -> bytes:
    inside = b"".join(members)
    assert 127 < len(inside) < 256
    return b"\x31\x81" + bytes([len(inside)]) + inside


def test_an_authority_that_was_over_when_it_was_signed() -> None:
    over = issue(name("Old authority"), by=pki().root, ca=True, not_before=NOW - 3 * YEAR, not_after=NOW - YEAR)
    by = issue(name("Ministry of Tests"), by=over)
    (signature,) = judged(cades(by=by), DATA, crls=(*pki().crls, crl(over))).signatures
    assert (signature.sub_indication, signature.reasons[0]) == ("OUT_OF_BOUNDS_NO_POE", "ca-expired")


def test_a_certificate_that_is_suspended_may_be_so_no_more_tomorrow() -> None:
    issuing, at = pki().issuing, NOW - timedelta(days=1)
    by = issue(name("Ministry of Tests"), by=issuing)
    held = (
        x509.RevokedCertificateBuilder()
        .serial_number(by.certificate.serial_number)
        .revocation_date(at)
        .add_extension(x509.CRLReason(x509.ReasonFlags.certificate_hold), critical=False)
        .build()
    )
    listed = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuing.certificate.subject)
        .last_update(at)
        .next_update(NOW + timedelta(days=7))
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuing.key.public_key()), critical=False)
        .add_extension(x509.CRLNumber(1), critical=False)
        .add_revoked_certificate(held)
        .sign(issuing.key, hashes.SHA256())
        .public_bytes(serialization.Encoding.DER)
    )
    (signature,) = judged(cades(by=by), DATA, crls=(pki().crls[0], listed)).signatures
    assert (signature.sub_indication, signature.reasons[0]) == ("TRY_LATER", "on-hold")


def test_signed_attributes_that_are_not_in_their_one_encoding() -> None:
    members = attributes_of(cades(by=pki().rsa_seal))
    assert judged(signed_anew(set_of(members)), DATA).passed
    found = judged(signed_anew(set_of(members[::-1])), DATA)
    assert (found.indication, found.sub_indication, found.reasons[0]) == (
        "TOTAL-FAILED",
        "SIG_CRYPTO_FAILURE",
        "not-der",
    )


def test_a_signed_attribute_that_must_be_there() -> None:
    message_digest = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x04"
    whole = cades()
    assert whole.count(message_digest) == 1
    found = judged(whole.replace(message_digest, message_digest[:-1] + b"\x7f"), DATA)
    assert (found.indication, found.sub_indication, found.reasons[0]) == (
        "TOTAL-FAILED",
        "FORMAT_FAILURE",
        "signed-attributes",
    )


def test_a_signers_certificate_in_another_encoding_is_not_the_one_that_was_issued() -> None:
    def change(container: Any) -> None:
        der = pki().seal.der
        assert der[:2] == b"\x30\x82"
        # The length of the whole with an octet more than it needs (X.690 §10.1).
        container["certificates"] = [x509_.Certificate.load(b"\x30\x83\x00" + der[2:])]

    (signature,) = judged(changed(change), DATA).signatures
    assert (signature.sub_indication, signature.reasons[0]) == ("FORMAT_FAILURE", "signing-certificate-encoding")


def test_a_time_stamp_that_is_none() -> None:
    def change(container: Any) -> None:
        token = cms.ContentInfo.load(cades(held=True))
        container["signer_infos"][0]["unsigned_attrs"] = [{"type": "signature_time_stamp_token", "values": [token]}]

    (signature,) = judged(changed(change), DATA).signatures
    assert [stamp.reasons for stamp in signature.time_stamps] == [("time-stamp-invalid",)]
    assert signature.proven_time is None


def test_more_certificates_than_are_looked_at_are_said() -> None:
    brought = [issue(name(f"Nobody {number}"), by=None).der for number in range(70)]
    (signature,) = judged(cades(brought=brought), DATA).signatures
    assert "too-many-certificates" in signature.remarks


def test_a_format_that_is_not_judged_here() -> None:
    (signature,) = judged_pdf(sealed_pdf().replace(b"/ETSI.CAdES.detached", b"/ETSI.CAdES.somehow.")).signatures
    assert "subfilter" in signature.reasons


def _second_field(*, copied: bool) -> bytes:
    def change(writer: Any) -> None:
        fields = writer.root["/AcroForm"]["/Fields"]
        first = fields[0].get_object()
        value = first.raw_get("/V")
        if copied:
            value = writer.add_object(generic.DictionaryObject(value.get_object()))
        second = generic.DictionaryObject(
            {
                pdf_name("/FT"): pdf_name("/Sig"),
                pdf_name("/T"): generic.TextStringObject("Second"),
                pdf_name("/V"): value,
            }
        )
        fields.append(writer.add_object(second))
        writer.update_container(fields)

    return update(signed_by_other_software(plain_pdf(), pki().seal), change)


def test_one_signature_in_two_fields_and_one_that_was_copied_are_said() -> None:
    same, copy = judged_pdf(_second_field(copied=False)), judged_pdf(_second_field(copied=True))
    assert "several-fields" in {remark for signature in same.signatures for remark in signature.remarks}
    assert "duplicate-signature-value" in copy.warnings


def fill(writer: Any) -> None:
    fields = (one.get_object() for one in writer.root["/AcroForm"]["/Fields"])
    field = next(one for one in fields if one.get("/T") == "amount")
    field[pdf_name("/V")] = generic.TextStringObject("1000000")
    writer.update_container(field)


def test_a_form_to_which_something_was_added_after_it_was_signed() -> None:
    later = SigFieldSpec("Later", box=(50, 700, 300, 760))
    pdf = update(
        signed_by_other_software(plain_pdf(), pki().seal), lambda writer: append_signature_field(writer, later)
    )
    (signature,) = judged_pdf(pdf).signatures
    assert (signature.indication, signature.reasons) == ("INDETERMINATE", ("form-filled",))


def test_a_field_that_was_locked_and_filled() -> None:
    pdf = signed_by_other_software(plain_pdf(form=True), pki().seal, locked=True)
    assert judged_pdf(pdf).passed
    (signature,) = judged_pdf(update(pdf, fill)).signatures
    assert (signature.indication, signature.reasons[0]) == ("TOTAL-FAILED", "fieldmdp")


def test_what_was_signed_ends_in_the_middle_of_a_revision() -> None:
    pdf = sealed_pdf()
    found = re.search(rb"/ByteRange \[(\d+) (\d+) (\d+) (\d+)", pdf)
    assert found
    shorter = b"%d" % (int(found[4]) - 40)
    assert len(shorter) == len(found[4])
    (signature,) = judged_pdf(pdf[: found.start(4)] + shorter + pdf[found.end(4) :]).signatures
    assert signature.reasons[0] == "not-whole-revision"


def test_a_time_stamp_that_says_that_it_is_a_signature() -> None:
    output = BytesIO()
    stamper = PdfTimeStamper(pki().tsa.time_stamper(NOW), field_name="Archive")
    pdf = signed_by_other_software(plain_pdf(), pki().seal)
    thread = threading.Thread(
        target=lambda: stamper.timestamp_pdf(IncrementalPdfFileWriter(BytesIO(pdf)), "sha256", output=output)
    )
    thread.start()
    thread.join()
    stamped = output.getvalue()
    assert stamped.count(b"/Type /DocTimeStamp") == 1
    found = judged_pdf(stamped.replace(b"/Type /DocTimeStamp", b"/Type /Sig         "))
    assert "time-stamp-as-signature" in found.warnings
    assert [signature.field_name for signature in found.signatures] == ["Seal"]


def test_content_that_is_there_twice() -> None:
    signature = jades(**by_hash())
    assert judged(signature, DATA, names=("data.json",)).passed
    held = signature.replace(b"..", b"." + b64u(DATA).encode() + b".")
    found = judged(held, DATA, names=("data.json",))
    assert (found.indication, found.reasons[0]) == ("TOTAL-FAILED", "content-not-detached")
