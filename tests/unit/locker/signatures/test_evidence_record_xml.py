"""Evidence records in XML (RFC 6283): another software's, and renewed ones whose canonical form is written by hand."""

import os
import time
from base64 import b64encode
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from asn1crypto import cms
from hypothesis import given
from hypothesis import strategies as st

from locker.signatures.evidence_record import RECORD_MAX_BYTES, NoEvidenceRecord, digest
from locker.signatures.evidence_record_xml import read_xml
from locker.signatures.judge_evidence_record import EvidenceVerdict, imprint_of_bytes, judge_evidence_record
from locker.signatures.policies import VERIFY
from locker.signatures.schema import Trust
from locker.signatures.trust_store import TrustStore
from tests.unit.locker.signatures.signature_pki import NOW, YEAR, Holder, issue, name, pki

DOCUMENT = b"a document"
METHODS = {"sha256": "http://www.w3.org/2001/04/xmlenc#sha256", "sha512": "http://www.w3.org/2001/04/xmlenc#sha512"}
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
INCLUSIVE = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
NAMESPACE = ' xmlns="urn:ietf:params:xml:ns:ers"'


def token(over: bytes, algorithm: str, at: datetime) -> bytes:
    by: Holder = issue(
        name("A TSA"),
        by=pki().root,
        time_stamping=True,
        non_repudiation=False,
        not_before=at - timedelta(days=1),
        not_after=at + 3 * YEAR,
    )
    return by.time_stamper(at).token(over, algorithm).dump()


def stamp(of: bytes, *, namespace: str = "") -> str:
    encoded = b64encode(of).decode()
    return f'<TimeStamp{namespace}><TimeStampToken Type="RFC3161">{encoded}</TimeStampToken></TimeStamp>'


def archive_time_stamp(order: int, values: list[bytes], of: bytes) -> str:
    listed = "".join(f"<DigestValue>{b64encode(value).decode()}</DigestValue>" for value in values)
    tree = f'<HashTree><Sequence Order="1">{listed}</Sequence></HashTree>' if values else ""
    return f'<ArchiveTimeStamp Order="{order}">{tree}{stamp(of)}</ArchiveTimeStamp>'


def chain(order: int, algorithm: str, method: str, *stamps: str) -> str:
    # In canonical form: attributes in order, no element closed in itself.
    return (
        f'<ArchiveTimeStampChain Order="{order}"><DigestMethod Algorithm="{METHODS[algorithm]}"></DigestMethod>'
        f'<CanonicalizationMethod Algorithm="{method}"></CanonicalizationMethod>{"".join(stamps)}'
        "</ArchiveTimeStampChain>"
    )


def sequence(*chains: str, namespace: str = "") -> str:
    return f"<ArchiveTimeStampSequence{namespace}>{''.join(chains)}</ArchiveTimeStampSequence>"


def record(*chains: str) -> bytes:
    return f'<EvidenceRecord{NAMESPACE} Version="1.0">{sequence(*chains)}</EvidenceRecord>'.encode()


def judged(xml: bytes, document: bytes, at: datetime) -> EvidenceVerdict:
    store = TrustStore(Trust(anchors=(pki().root.der,), version="test"))
    return judge_evidence_record(xml, [imprint_of_bytes(document)], store, VERIFY, at)


def renewed(method: str) -> bytes:
    """A first stamp, one over it, then a new tree by SHA-512."""
    leaf = digest("sha256", DOCUMENT)
    first = token(leaf, "sha256", NOW)
    over = digest("sha256", stamp(first, namespace=NAMESPACE).encode())
    second = token(over, "sha256", NOW + 2 * YEAR)
    old = chain(1, "sha256", method, archive_time_stamp(1, [leaf], first), archive_time_stamp(2, [over], second))
    before = digest("sha512", sequence(old, namespace=NAMESPACE).encode())
    values = [digest("sha512", DOCUMENT), before]
    third = token(digest("sha512", *sorted(values)), "sha512", NOW + 4 * YEAR)
    return record(old, chain(2, "sha512", method, archive_time_stamp(1, values, third)))


@pytest.mark.parametrize("method", [EXCLUSIVE, INCLUSIVE])
def test_a_record_that_was_renewed_both_ways_proves_the_first_time(method: str) -> None:
    verdict = judged(renewed(method), DOCUMENT, NOW + 6 * YEAR)
    assert (verdict.indication, verdict.proven_time, verdict.renewals) == ("TOTAL-PASSED", NOW, 2)
    assert judged(renewed(method), b"another", NOW + 6 * YEAR).indication == "TOTAL-FAILED"


def test_a_chain_that_was_changed_under_its_renewal_fails() -> None:
    xml = renewed(EXCLUSIVE).replace(b"<ArchiveTimeStampSequence><", b"<ArchiveTimeStampSequence>\n<", 1)
    assert judged(xml, DOCUMENT, NOW + 6 * YEAR).indication == "TOTAL-FAILED"


@pytest.mark.parametrize(
    "xml",
    [
        b"<a/>",
        b"<EvidenceRecord" + NAMESPACE.encode() + b' Version="1.0"/>',
        record(),
        renewed(EXCLUSIVE).replace(b'Order="2"', b'Order="3"'),
        renewed(EXCLUSIVE).replace(EXCLUSIVE.encode(), b"http://example.org/xslt"),
        b'<!DOCTYPE a [<!ENTITY b "c">]>' + renewed(EXCLUSIVE),
        b"<" * 10_000,
    ],
    ids=["other", "empty", "no-chain", "order", "method", "document-type", "nested"],
)
def test_what_is_no_record_is_said_to_be_none(xml: bytes) -> None:
    with pytest.raises(NoEvidenceRecord):
        read_xml(xml)
    assert judged(xml, DOCUMENT, NOW).reasons == ("evidence-record-unreadable",)


_RENEWED = renewed(EXCLUSIVE)


@given(st.data())
def test_no_altered_record_is_better_than_the_true_one(data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(_RENEWED) - 1))
    altered = _RENEWED[:place] + bytes([data.draw(st.integers(0, 255))]) + _RENEWED[place + 1 :]
    verdict = judged(altered, DOCUMENT, NOW + 6 * YEAR)
    assert not verdict.passed or verdict.proven_time == NOW


def test_a_record_of_other_software_is_read_and_judged() -> None:
    folder = os.environ.get("KHIZANA_FIXTURES")
    if not folder:
        pytest.skip("SKIPPED: KHIZANA_FIXTURES names no folder, so records of other software are not judged")
    pdfs = Path(folder) / "pdf"
    xml = (pdfs / "evidence-records" / "evidence-record-Signature-P-HU_POL-7.xml").read_bytes()
    covered = (pdfs / "dss" / "pades-tst-with-orphan-refs.pdf").read_bytes()
    certificates = cms.ContentInfo.load(read_xml(xml).chains[0][0].token)["content"]["certificates"]
    store = TrustStore(Trust(anchors=tuple(one.chosen.dump() for one in certificates), version="test"))
    at = datetime.fromisoformat("2024-06-01T00:00:00+00:00")
    verdict = judge_evidence_record(xml, [imprint_of_bytes(covered)], store, VERIFY, at)
    assert (verdict.indication, str(verdict.proven_time)) == ("TOTAL-PASSED", "2024-03-07 12:43:42+00:00")
    stranger = judge_evidence_record(xml, [imprint_of_bytes(covered + b" ")], store, VERIFY, at)
    assert (stranger.indication, stranger.reasons) == ("TOTAL-FAILED", ("evidence-record-data",))


def test_u_04_a_record_of_many_chains_is_refused_before_it_costs_anything() -> None:
    many = record(*(chain(n, "sha256", INCLUSIVE, archive_time_stamp(1, [], b"")) for n in range(1, 3_001)))
    assert len(many) < RECORD_MAX_BYTES
    began = time.process_time()
    with pytest.raises(NoEvidenceRecord):
        read_xml(many)
    assert time.process_time() - began < 1
