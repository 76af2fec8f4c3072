"""What pyHanko answers when it is called the obvious way, and what the judge says of the same file.

Each trap that a newer pyHanko closes fails here in its first half: then the guard may go.
"""

import asyncio
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from io import BytesIO
from typing import Any

import pytest
from asn1crypto import crl as asn1_crl
from asn1crypto import x509 as asn1_x509
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko.sign.validation.ades import ades_basic_validation, ades_lta_validation, ades_with_time_validation
from pyhanko.sign.validation.policy_decl import (
    LocalKnowledge,
    PdfSignatureValidationSpec,
    RevinfoOnlineFetchingRule,
    RevocationInfoGatheringSpec,
    SignatureValidationSpec,
)
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.context import CertValidationPolicySpec
from pyhanko_certvalidator.ltv.types import ValidationTimingInfo
from pyhanko_certvalidator.policy_decl import REQUIRE_REVINFO, CertRevTrustPolicy
from pyhanko_certvalidator.registry import SimpleTrustManager
from pyhanko_certvalidator.revinfo.archival import CRLContainer

from locker.signatures.schema import Verdict
from locker.signatures.seal import seal
from locker.signatures.sealer import SealingRefused
from tests.attacks.test_g_signatures import add_page, fill_form
from tests.unit.locker.signatures.signature_pki import (
    NOW,
    YEAR,
    crl,
    issue,
    judged,
    name,
    pki,
    plain_pdf,
    sealed_pdf,
    signed_by_other_software,
    update,
)

DAY = timedelta(days=1)


def roots() -> list[asn1_x509.Certificate]:
    return [asn1_x509.Certificate.load(pki().root.der)]


def embedded(pdf: bytes) -> Any:
    return PdfFileReader(BytesIO(pdf)).embedded_signatures[0]


def ades(pdf: bytes, validation: Any = ades_with_time_validation, *, at: datetime = NOW, crls: Any = None) -> str:
    """The sub-indication, or PASSED: the attribute that looks like the verdict."""
    signature = embedded(pdf)
    spec = SignatureValidationSpec(
        cert_validation_policy=CertValidationPolicySpec(
            trust_manager=SimpleTrustManager.build(trust_roots=roots()),
            revinfo_policy=CertRevTrustPolicy(REQUIRE_REVINFO),
        ),
        revinfo_gathering_policy=RevocationInfoGatheringSpec(online_fetching_rule=RevinfoOnlineFetchingRule.LOCAL_ONLY),
        local_knowledge=LocalKnowledge(
            known_crls=[CRLContainer(asn1_crl.CertificateList.load(der)) for der in crls or pki().crls],
            known_certs=[asn1_x509.Certificate.load(pki().issuing.der)],
        ),
    )
    timing = ValidationTimingInfo(validation_time=at, best_signature_time=at, point_in_time_validation=True)

    async def ask() -> str:
        if validation is ades_lta_validation:
            answer = await ades_lta_validation(signature, PdfSignatureValidationSpec(spec), timing_info=timing)
        else:
            digest = signature.compute_digest()
            answer = await validation(signature.signed_data, spec, timing_info=timing, raw_digest=digest)
        return str(answer.ades_subindic)

    return asyncio.run(ask())


def status(pdf: bytes) -> Any:
    crls = [asn1_crl.CertificateList.load(der) for der in pki().crls]
    context = ValidationContext(trust_roots=roots(), crls=crls, allow_fetching=False, moment=NOW)
    return validate_pdf_signature(embedded(pdf), context)


def replaced_page() -> bytes:
    return update(sealed_pdf(docmdp_locked=False), add_page)


def reason(verdict: Verdict) -> tuple[str, str]:
    return verdict.indication, verdict.reasons[0]


def test_the_obvious_way_passes_what_passes() -> None:
    assert "AdESPassed" in ades(sealed_pdf())
    assert status(sealed_pdf()).bottom_line


def test_the_sub_indication_ignores_what_was_changed_later() -> None:
    assert "AdESPassed" in ades(replaced_page())
    assert reason(judged(replaced_page())) == ("TOTAL-FAILED", "changed-after-signing")


def test_intact_valid_and_trusted_are_all_true_of_a_changed_document() -> None:
    found = status(replaced_page())
    assert found.intact
    assert found.valid
    assert found.trusted
    assert judged(replaced_page()).indication == "TOTAL-FAILED"


def test_a_filled_form_is_no_change_to_the_default_difference_policy() -> None:
    pdf = update(sealed_pdf(docmdp_locked=False, form=True), fill_form)
    assert status(pdf).bottom_line
    assert not judged(pdf).passed


def test_a_time_stamp_after_the_certificate_ended_is_passed() -> None:
    holder = issue(name("Ended"), by=pki().issuing, not_after=NOW + DAY)
    at = NOW + 2 * DAY
    pdf = seal(plain_pdf(), sealer=holder.sealer(), timestamper=pki().tsa.time_stamper(at), at=NOW)
    crls = tuple(crl(by, at=at) for by in (pki().root, pki().issuing))
    assert "AdESPassed" in ades(pdf, at=at + DAY, crls=crls)
    verdict = judged(pdf, at=at + DAY, crls=crls)
    assert (verdict.indication, verdict.sub_indication) == ("INDETERMINATE", "OUT_OF_BOUNDS_NO_POE")


def test_a_time_stamp_authority_passes_as_a_signer() -> None:
    pdf = signed_by_other_software(plain_pdf(), pki().tsa)
    assert "AdESPassed" in ades(pdf, ades_basic_validation)
    assert reason(judged(pdf)) == ("INDETERMINATE", "key-usage")


@pytest.mark.parametrize("time_stamped", [False, True])
def test_a_fresh_signature_is_not_passed_by_the_validation_for_archives(time_stamped: bool) -> None:
    pdf = sealed_pdf(time_stamped=time_stamped)
    assert "AdESPassed" not in ades(pdf, ades_lta_validation)
    assert judged(pdf).passed


def appended(pdf: bytes) -> bytes:
    return pdf + b"\nPK\x03\x04 not white space"


def unlisted(pdf: bytes) -> bytes:
    startxref = pdf[pdf.rfind(b"startxref") :]
    return pdf + b"\n4 0 obj\n<< /Length 3 >>\nstream\nBT \nendstream\nendobj\n" + startxref


@pytest.mark.parametrize(
    ("change", "said"), [(appended, "bytes-after-end"), (unlisted, "unreferenced-update")], ids=["bytes", "objects"]
)
def test_what_follows_the_last_end_mark_is_passed(change: Callable[[bytes], bytes], said: str) -> None:
    pdf = change(sealed_pdf(docmdp_locked=False))
    assert status(pdf).bottom_line
    assert reason(judged(pdf)) == ("TOTAL-FAILED", said)


def test_coverage_is_arithmetic_of_lengths() -> None:
    """The gap is as long as the container, and elsewhere: what pyHanko calls the entire file is not."""
    pdf = sealed_pdf()
    [(_, start, end, rest)] = [[int(n) for n in r.split()] for r in re.findall(rb"/ByteRange \[([\d ]+)\]", pdf)]
    moved = pdf.replace(b"%d %d %d" % (start, end, rest), b"%d %d %d" % (start - 1, end - 1, rest + 1), 1)
    assert len(moved) == len(pdf)
    assert embedded(moved).evaluate_signature_coverage().name == "ENTIRE_FILE"
    assert judged(moved).signatures[0].reasons[0] == "byte-range"


def test_one_broken_signature_ends_the_whole_list() -> None:
    both = sealed_pdf(docmdp_locked=False)
    both = seal(both, sealer=pki().rsa_seal.sealer(), docmdp_locked=False, field_name="Second", at=NOW)
    at = both.rfind(b"/Contents <") + len(b"/Contents <")
    broken = both[:at] + b"FF" + both[at + 2 :]
    with pytest.raises((KeyError, ValueError, TypeError)):
        _ = PdfFileReader(BytesIO(broken)).embedded_signatures
    assert [found.passed for found in judged(broken).signatures] == [True, False]


def expiring(*, stamped: bool) -> bytes:
    holder = issue(name("Ends"), by=pki().issuing, not_after=NOW + 20 * DAY)
    return seal(plain_pdf(), sealer=holder.sealer(), timestamper=pki().tsa.time_stamper() if stamped else None, at=NOW)


def test_signing_with_a_certificate_that_ended_is_done() -> None:
    ended = issue(name("Ended"), by=pki().issuing, not_before=NOW - 2 * YEAR, not_after=NOW - YEAR)
    assert embedded(signed_by_other_software(plain_pdf(), ended)).signer_cert.subject.native["common_name"] == "Ended"
    with pytest.raises(SealingRefused):
        seal(plain_pdf(), sealer=ended.sealer(), at=NOW)


class TestPastValidation:
    """EN 319 102-1 §5.6.2: a certificate that ended or was revoked, with and without proof of an earlier existence."""

    @pytest.mark.parametrize(("stamped", "sub_indication"), [(True, None), (False, "OUT_OF_BOUNDS_NO_POE")])
    def test_ended(self, stamped: bool, sub_indication: str | None) -> None:
        crls = tuple(crl(by, at=NOW + DAY) for by in (pki().root, pki().issuing))
        assert judged(expiring(stamped=stamped), at=NOW + YEAR, crls=crls).sub_indication == sub_indication

    @pytest.mark.parametrize(
        ("stamped", "revoked_at", "sub_indication"),
        [
            (True, NOW + DAY, None),
            (True, NOW - DAY, "REVOKED_NO_POE"),
            (False, NOW + DAY, "REVOKED_NO_POE"),
            (False, NOW - DAY, "REVOKED_NO_POE"),
        ],
    )
    def test_revoked(self, stamped: bool, revoked_at: datetime, sub_indication: str | None) -> None:
        holder = issue(name("Revoked"), by=pki().issuing)
        stamper = pki().tsa.time_stamper() if stamped else None
        pdf = seal(plain_pdf(), sealer=holder.sealer(), timestamper=stamper, at=NOW)
        later = NOW + 30 * DAY
        crls = (crl(pki().root, at=later), crl(pki().issuing, revoked=[(holder, revoked_at)], at=later))
        assert judged(pdf, at=later + DAY, crls=crls).sub_indication == sub_indication

    @pytest.mark.parametrize(("stamped", "passes"), [(True, True), (False, False)])
    def test_revoked_and_ended(self, stamped: bool, passes: bool) -> None:
        holder = issue(name("Both"), by=pki().issuing, not_after=NOW + 20 * DAY)
        stamper = pki().tsa.time_stamper() if stamped else None
        pdf = seal(plain_pdf(), sealer=holder.sealer(), timestamper=stamper, at=NOW)
        later = NOW + 10 * DAY
        crls = (crl(pki().root, at=later), crl(pki().issuing, revoked=[(holder, NOW + 2 * DAY)], at=later))
        assert judged(pdf, at=NOW + YEAR, crls=crls).passed is passes
