"""Reports of verdicts on real documents, hostile ones among them: each says what its verdict says, nothing breaks."""

import datetime as dt
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec
import pypdfium2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import pdf_name

import locker
from kit.i18n import Locale
from kit.pages import Pages
from locker.reports.checks import CHECKS, OF_DOCUMENT, OF_SEALING, OF_SIGNATURE
from locker.reports.draw_certificate import Certificate, draw_certificate
from locker.reports.make_detailed import make_detailed
from locker.reports.make_simple import make_simple
from locker.reports.schema import CheckName, CheckResult, DetailedReport, Reason, Said, SimpleReport
from locker.reports.seal_certificate import ReportSeal
from locker.reports.sub_indications import SUB_INDICATIONS
from locker.reports.write_etsi import VR, write_etsi
from locker.signatures import quiet
from locker.signatures.judge_document import judge_document
from locker.signatures.policies import DEPOSIT, VERIFY
from locker.signatures.reasons import REASONS
from locker.signatures.schema import (
    Indication,
    Level,
    PartyName,
    SignatureVerdict,
    SubIndication,
    TimeStampVerdict,
    Trust,
    Verdict,
)
from locker.signatures.seal import Sealer, seal
from locker.signatures.trust_store import TrustStore
from locker.verification.judge_signature import signature_answer
from locker.verification.schema import Answer, Check
from tests.unit.locker.reports.etsi_schema import schema
from tests.unit.locker.signatures.signature_pki import (
    NOW,
    YEAR,
    Holder,
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

PAGES = Pages({"locker": Path(locker.__path__[0])}, static_prefix="/static")
HOSTILE = "<script>&amp;\"']]>\u202egro.live\u2066 محكمة 漢字 %(issuer)s %s \\) Tj"
HOSTILE_NAME = "<script>&\"']]>\u202eevil\u2066 محكمة 漢 %s \\) Tj"
_DAY = dt.timedelta(days=1)


def answered(verdict: Verdict) -> Answer:
    return Answer(
        signature=signature_answer(verdict),
        standing="unknown",
        document=None,
        signer_administration=None,
        checks=[Check(name="whole", passed=verdict.passed), Check(name="entitled", passed=None)],
        sha256=verdict.sha256,
        shared_until=None,
        checked_at=NOW,
    )


def detailed(verdict: Verdict) -> DetailedReport:
    return make_detailed(answered(verdict), verdict, PAGES.translator)


def sealed(holder: Holder, **changes: Any) -> bytes:
    return seal(plain_pdf(), sealer=holder.sealer(), at=NOW, **changes)


def with_javascript() -> bytes:
    def add(writer: Any) -> None:
        writer.root["/OpenAction"] = generic.DictionaryObject(
            {pdf_name("/S"): pdf_name("/JavaScript"), pdf_name("/JS"): generic.TextStringObject("app.alert(1)")}
        )
        writer.update_root()

    return seal(update(plain_pdf(), add), sealer=pki().seal.sealer(), at=NOW)


def changed_later() -> bytes:
    def change(writer: Any) -> None:
        writer.root["/Lang"] = generic.TextStringObject("xx")
        writer.update_root()

    return update(sealed_pdf(docmdp_locked=False), change)


def naming_another_certificate() -> bytes:
    """Signed attributes that name a certificate which is not the one that signed."""
    own, other = pki().seal, pki().rsa_seal

    class Misled(Sealer):
        def signed_attributes(self, document_digest: bytes) -> bytes:
            mine = Sealer(other.key, other.der)
            return Sealer.signed_attributes(mine, document_digest)

    return seal(plain_pdf(), sealer=Misled(own.key, own.der, own.chain_der), at=NOW)


def garbled(pdf: bytes) -> bytes:
    """The container is no DER any more."""
    contents = re.search(rb"/Contents <([0-9a-f]+)>", pdf)
    assert contents
    at = contents.start(1)
    return pdf[:at] + b"ff" * 40 + pdf[at + 80 :]


def stamped_by_nobody() -> bytes:
    stranger = issue(name("Other TSA"), by=None, time_stamping=True, non_repudiation=False)
    return sealed(pki().seal, timestamper=stranger.time_stamper())


def expired() -> Verdict:
    holder = issue(name("Expired"), by=pki().issuing, not_after=NOW + _DAY)
    return judged(sealed(holder), at=NOW + 2 * _DAY)


def revoked() -> Verdict:
    holder = issue(name("Revoked"), by=pki().issuing)
    lists = (crl(pki().root), crl(pki().issuing, revoked=[(holder, NOW - _DAY)]))
    return judged(sealed(holder), crls=lists)


def flipped() -> Verdict:
    pdf = bytearray(sealed_pdf())
    pdf[pdf.index(b"An extract")] ^= 1
    return judged(bytes(pdf))


def archived_by_nobody(fixtures_dir: Path) -> Verdict:
    """Of long term level, and nobody here trusts those who stamped it."""
    for file in sorted((fixtures_dir / "pdf" / "dss").rglob("*.pdf")):
        verdict = judge_document(file.read_bytes(), TrustStore(Trust(anchors=(), version="none")), VERIFY, NOW)
        if any(signature.intact and signature.level.endswith("LTA") for signature in verdict.signatures):
            return verdict
    raise AssertionError("no such file any more")


def failing() -> Iterator[tuple[CheckName, Verdict]]:
    """A real document for each check that fails with it."""
    yield "file", judged(b"nonsense")
    yield "validation-context", judged(plain_pdf().replace(b"/Size", b"/Size 600000 /X", 1))
    yield "content", judged(with_javascript())
    yield "format", judged(garbled(sealed_pdf()))
    yield "signing-certificate", judged(naming_another_certificate())
    yield "cryptographic-verification", flipped()
    yield "certificate-chain", judged(sealed_pdf(), anchors=())
    yield "revocation", revoked()
    yield "revocation-freshness", judged(sealed_pdf(), crls=())
    yield "cryptographic-constraints", judged(signed_by_other_software(plain_pdf(), pki().seal, digest="sha1"))
    yield "signature-acceptance", judged(sealed_pdf(time_stamped=False), policy=DEPOSIT, seals=(pki().seal.der,))
    yield "time-stamps", judged(stamped_by_nobody())
    yield "past-certificate-validation", expired()
    yield "coverage", judged(sealed_pdf() + b"more after the end")
    yield "changes", judged(changed_later())


def failed(verdict: Verdict) -> set[CheckName]:
    report = detailed(verdict)
    results = [*report.document, *(check for signature in report.signatures for check in signature.checks)]
    return {check.name for check in results if check.status == "failed"}


def test_every_reason_belongs_to_exactly_one_check() -> None:
    listed = list(itertools.chain.from_iterable(check.reasons for check in (*OF_DOCUMENT, *OF_SIGNATURE)))
    assert sorted([*listed, *OF_SEALING]) == sorted(REASONS)
    assert set(CHECKS) == set(get_args(CheckName))


def test_every_sub_indication_of_ours_is_explained() -> None:
    assert set(get_args(SubIndication)) <= set(SUB_INDICATIONS)


def test_every_check_fails_by_a_real_document(fixtures_dir: Path) -> None:
    seen = {check: failed(verdict) for check, verdict in failing()}
    assert {check for check, fails in seen.items() if check in fails} == set(CHECKS) - {"long-term"}
    assert "long-term" in failed(archived_by_nobody(fixtures_dir))


def test_a_sound_seal_passes_every_check_that_is_asked() -> None:
    report = detailed(judged(sealed_pdf()))
    [signature] = report.signatures
    ignored = {check.name: check.why for check in signature.checks if check.status != "passed"}
    assert ignored == {"signature-acceptance": "not-asked", "long-term": "nothing-there"}
    assert {check.status for check in report.document} == {"passed"}
    [stamp] = signature.time_stamps
    assert {check.status for check in stamp.checks} == {"passed"}


def test_what_comes_after_a_failure_was_not_reached() -> None:
    [signature] = detailed(judged(garbled(sealed_pdf()))).signatures
    first, *rest = signature.checks
    assert (first.name, first.status) == ("format", "failed")
    assert {(check.status, check.why) for check in rest} == {("ignored", "not-reached")}


def _consistent(verdict: Verdict) -> None:
    """What a report says of its checks is what the verdict says of the whole."""
    report = detailed(verdict)
    of_document = [check for check in report.document if check.status == "failed"]
    for found, signature in zip(report.signatures, verdict.signatures, strict=True):
        fails = {check.name for check in found.checks if check.status == "failed"}
        if signature.passed:
            # A time stamp or an archive that proves nothing takes nothing away from what holds without it.
            assert fails <= {"time-stamps", "long-term"}
        else:
            assert fails, signature
        for check in found.checks:
            _complete(check, report)
    if verdict.passed:
        assert not of_document
    elif verdict.indication != "NO_SIGNATURE_FOUND" and all(signature.passed for signature in verdict.signatures):
        assert of_document
    assert msgspec.json.decode(msgspec.json.encode(report), type=DetailedReport) == report


def _complete(check: CheckResult, report: DetailedReport) -> None:
    assert (check.status == "ignored") == (check.why not in (None, "not-proven"))
    assert {check.name, *check.reasons, *check.remarks} <= set(report.texts)


def hostile_names() -> bytes:
    holder = issue(name(HOSTILE_NAME, organisation=HOSTILE_NAME), by=pki().issuing)
    return sealed(holder, reason=HOSTILE, location=HOSTILE, field_name="Seal<&>\u202e")


def own_documents() -> Iterator[Verdict]:
    for pdf in (
        sealed_pdf(),
        sealed_pdf(time_stamped=False),
        plain_pdf(),
        b"",
        b"%PDF-1.7\n%%EOF",
        sealed_pdf()[:-900],
        hostile_names(),
    ):
        yield judged(pdf)
    yield from (verdict for _, verdict in failing())


def test_reports_of_all_kinds_of_documents_agree_with_their_verdict() -> None:
    for verdict in own_documents():
        _consistent(verdict)
        schema().assertValid(etree.fromstring(write_etsi(verdict)))


def test_the_etsi_report_is_valid_for_documents_of_other_software(fixtures_dir: Path) -> None:
    quiet.install()
    store = TrustStore(Trust(anchors=(), version="none"))
    files = [f for f in sorted((fixtures_dir / "pdf").rglob("*.pdf")) if "bombs" not in f.parts]
    for file in files[::2]:
        verdict = judge_document(file.read_bytes(), store, VERIFY, NOW)
        _consistent(verdict)
        schema().assertValid(etree.fromstring(write_etsi(verdict)))


def test_the_etsi_report_says_what_the_verdict_says() -> None:
    verdict = flipped()
    root = etree.fromstring(write_etsi(verdict))
    vr = {"vr": VR}
    [status] = root.findall("vr:SignatureValidationReport/vr:SignatureValidationStatus", vr)
    assert status.findtext("vr:MainIndication", namespaces=vr) == "urn:etsi:019102:mainindication:total-failed"
    assert status.findtext("vr:SubIndication", namespaces=vr) == "urn:etsi:019102:subindication:HASH_FAILURE"
    assert root.findtext(".//vr:PolicyName", namespaces=vr) == f"{VERIFY.name}/{VERIFY.version}, trust test"
    applied = {
        constraint.findtext("vr:ValidationConstraintIdentifier", namespaces=vr): constraint.findtext(
            "vr:ValidationStatus/vr:MainIndication", namespaces=vr
        )
        for constraint in root.iterfind(".//vr:ValidationConstraint", vr)
    }
    assert applied["urn:khizana:check:cryptographic-verification"] == "urn:etsi:019102:mainindication:failed"
    assert applied["urn:khizana:check:format"] == "urn:etsi:019102:mainindication:passed"
    assert applied["urn:khizana:check:long-term"] is None


def test_what_the_document_itself_adds_reaches_its_signatures_in_the_etsi_report() -> None:
    verdict = judged(with_javascript())
    assert verdict.signatures[0].passed
    root = etree.fromstring(write_etsi(verdict))
    said = root.findtext(".//{*}SignatureValidationStatus/{*}MainIndication")
    assert said == "urn:etsi:019102:mainindication:indeterminate"


def test_names_with_markup_stay_text_in_xml() -> None:
    root = etree.fromstring(write_etsi(judged(hostile_names())))
    assert not root.findall(".//{*}script")
    signer = root.findtext(".//{*}Signer")
    assert signer is not None
    assert "<script>" in signer
    assert not {"\u202e", "\u2066"} & set("".join(root.itertext()))


def test_the_simple_report_speaks_four_languages_and_names_policy_and_trust() -> None:
    verdict = judged(sealed_pdf(), crls=())
    report = make_simple(answered(verdict), verdict, PAGES.translator)
    assert msgspec.json.decode(msgspec.json.encode(report), type=SimpleReport) == report
    assert (report.policy.name, report.policy.version, report.policy.trust_version) == (
        VERIFY.name,
        VERIFY.version,
        "test",
    )
    assert report.indication == "INDETERMINATE"
    assert report.sub_indication == "TRY_LATER"
    assert report.reasons[0].code == "no-revocation-status"
    assert report.meaning is not None
    for said in (report.sentence, report.meaning.means, report.meaning.next, report.reasons[0].says):
        assert len({said.ar, said.fr, said.en, said.zgh}) == 4
    assert isinstance(report.reasons[0], Reason)
    assert isinstance(report.sentence, Said)


def test_a_code_without_a_sentence_is_no_fault() -> None:
    verdict = msgspec.structs.replace(
        judged(plain_pdf()), indication="INDETERMINATE", sub_indication="GENERIC", reasons=("brand-new",)
    )
    assert make_simple(answered(verdict), verdict, PAGES.translator).reasons[0].says.fr == "brand-new"
    detailed(verdict)
    schema().assertValid(etree.fromstring(write_etsi(verdict)))


@pytest.fixture(scope="module")
def report_seal(tmp_path_factory: pytest.TempPathFactory) -> ReportSeal:
    return ReportSeal.load_or_create(tmp_path_factory.mktemp("keys"), name="https://locker.example")


def drawn(verdict: Verdict, report_seal: ReportSeal) -> tuple[bytes, str]:
    page = draw_certificate(
        answered(verdict),
        verdict,
        PAGES.translator,
        Certificate(verify_url="https://locker.example", seal_sha256=report_seal.certificate_sha256),
    )
    pdf = report_seal.seal(page, at=NOW + YEAR)
    document = pypdfium2.PdfDocument(pdf)
    assert len(document) == 1
    return pdf, document[0].get_textpage().get_text_range()


def test_the_certificate_is_sealed_by_us_and_says_it_in_arabic_and_french(
    tmp_path: Path, report_seal: ReportSeal
) -> None:
    verdict = judged(sealed_pdf())
    pdf, text = drawn(verdict, report_seal)
    assert "Attestation de vérification" in text
    assert "شهادة التحقق" in text
    assert verdict.sha256 in text
    assert f"{VERIFY.name}/{VERIFY.version}, trust test" in text
    anchor = x509.load_pem_x509_certificate(report_seal.pem.encode()).public_bytes(Encoding.DER)
    moment = dt.datetime.now(dt.UTC)
    own = judge_document(seal_now(report_seal), TrustStore(Trust(anchors=(anchor,), version="ours")), VERIFY, moment)
    assert own.passed, own
    changed = pdf.replace(b"(fr-MA)", b"(xx-MA)", 1)
    assert changed != pdf
    assert not judged(changed, anchors=(anchor,), at=moment).passed
    assert len(PAGES.translator(Locale.ZGH).gettext("Certificate of verification")) > 3


def seal_now(report_seal: ReportSeal) -> bytes:
    verdict = judged(sealed_pdf())
    certificate = Certificate(verify_url="https://locker.example", seal_sha256=report_seal.certificate_sha256)
    page = draw_certificate(answered(verdict), verdict, PAGES.translator, certificate)
    return report_seal.seal(page, at=dt.datetime.now(dt.UTC))


def test_a_certificate_stays_on_its_page_whatever_it_says(report_seal: ReportSeal) -> None:
    long = issue(name("W" * 64, organisation="م" * 32), by=pki().issuing)
    for verdict in (judged(hostile_names()), judged(sealed(long)), judged(b"x"), judged(with_javascript())):
        _pdf, text = drawn(verdict, report_seal)
        assert verdict.sha256 in text
    assert "<script>" in drawn(judged(hostile_names()), report_seal)[1]


def test_two_starters_end_with_one_seal(tmp_path: Path) -> None:
    first = ReportSeal.load_or_create(tmp_path, name="https://locker.example")
    again = ReportSeal.load_or_create(tmp_path, name="https://other.example")
    assert first.pem == again.pem
    assert (tmp_path / "report-seal-ES256.pem").stat().st_mode & 0o077 == 0


def test_what_speaks_against_the_whole_alone_stands_in_a_check() -> None:
    """Data beside a signature that is sound, and does not cover it."""
    verdict = msgspec.structs.replace(
        judged(sealed_pdf()),
        indication="INDETERMINATE",
        sub_indication="SIG_CONSTRAINTS_FAILURE",
        reasons=("not-all-covered",),
    )
    assert {check.name for check in detailed(verdict).document if check.status == "failed"} == {"coverage"}
    _consistent(verdict)


_texts = st.text(max_size=80) | st.sampled_from([HOSTILE, "\x00\x1b\ufffe", "]]>", "م" * 300, "W" * 300])
_codes = st.lists(st.sampled_from(sorted(REASONS)) | st.just("of-tomorrow"), max_size=4, unique=True).map(tuple)
_ever = st.integers(2, dt.date.max.toordinal() - 2).map(
    lambda day: dt.datetime.combine(dt.date.fromordinal(day), dt.time(1, 2, 3, 4), dt.UTC)
)
_times = st.none() | _ever
_indications = st.sampled_from([name_ for name_ in get_args(Indication) if name_ != "NO_SIGNATURE_FOUND"])
_subs = st.none() | st.sampled_from(get_args(SubIndication))
_parties = st.none() | st.builds(PartyName, display=_texts)
_stamps = st.builds(
    TimeStampVerdict,
    kind=st.sampled_from(["signature", "document"]),
    time=_times,
    passed=st.booleans(),
    sub_indication=_subs,
    authority=_parties,
    field_name=st.none() | _texts,
    reasons=_codes,
)
_signatures = st.builds(
    SignatureVerdict,
    field_name=_texts,
    indication=_indications,
    sub_indication=_subs,
    reasons=_codes,
    remarks=_codes,
    level=st.sampled_from(get_args(Level)),
    intact=st.booleans(),
    signer=_parties,
    issuer=_parties,
    certificate_sha256=st.none() | st.just("ab" * 32),
    claimed_time=_times,
    proven_time=_times,
    stated_reason=st.none() | _texts,
    stated_location=st.none() | _texts,
    signature_algorithm=st.none() | _texts,
    time_stamps=st.lists(_stamps, max_size=2).map(tuple),
)
_verdicts = st.builds(
    Verdict,
    indication=st.sampled_from(get_args(Indication)),
    sub_indication=_subs,
    reasons=_codes,
    signatures=st.lists(_signatures, max_size=2).map(tuple),
    time_stamps=st.lists(_stamps, max_size=2).map(tuple),
    warnings=_codes,
    policy=st.just("khizana-verify"),
    policy_version=st.just("2026.1"),
    trust_version=st.just("7"),
    judged_for=_ever,
    size_bytes=st.just(1),
    sha256=st.just("cd" * 32),
    pages=st.none() | st.just(1),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(verdict=_verdicts)
def test_no_verdict_breaks_a_report(verdict: Verdict) -> None:
    """Whatever a judge may say of names, times and codes, earlier and later versions included."""
    schema().assertValid(etree.fromstring(write_etsi(verdict)))
    report = detailed(verdict)
    for signature in report.signatures:
        assert [check.name for check in signature.checks] == [check.name for check in OF_SIGNATURE]
    answer = answered(verdict)
    msgspec.json.encode(make_simple(answer, verdict, PAGES.translator))
    page = draw_certificate(
        answer, verdict, PAGES.translator, Certificate(verify_url="https://locker.example", seal_sha256="ef" * 32)
    )
    assert len(pypdfium2.PdfDocument(page)) == 1
