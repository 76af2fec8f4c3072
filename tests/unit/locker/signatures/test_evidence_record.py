"""Evidence records (RFC 4998): made, renewed both ways and judged years later; and those of other software."""

import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from asn1crypto import cms
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from locker.signatures.evidence_record import (
    EvidenceRecord,
    archive_time_stamp,
    digest,
    hash_tree,
    leaf_to_renew,
    read,
    renewed_by_hash_tree,
    renewed_by_time_stamp,
    root_of,
    time_stamp_to_renew,
)
from locker.signatures.judge_evidence_record import EvidenceVerdict, imprint_of_bytes, judge_evidence_record
from locker.signatures.policies import VERIFY
from locker.signatures.schema import Trust
from locker.signatures.trust_store import TrustStore
from tests.unit.locker.signatures.signature_pki import NOW, YEAR, Holder, issue, name, pki

DOCUMENTS = [f"document {number}".encode() for number in range(7)]


def authority(began: datetime, *, ends: datetime | None = None, rsa_bits: int = 0) -> Holder:
    key = rsa.generate_private_key(65537, rsa_bits) if rsa_bits else None
    return issue(
        name(f"A TSA of {began:%Y}"),
        by=pki().root,
        key=key,
        time_stamping=True,
        non_repudiation=False,
        not_before=began - timedelta(days=1),
        not_after=ends or began + 3 * YEAR,
    )


def token(over: bytes, algorithm: str, at: datetime, by: Holder | None = None) -> bytes:
    return (by or authority(at)).time_stamper(at).token(over, algorithm).dump()


def made(algorithm: str = "sha256", at: datetime = NOW, by: Holder | None = None) -> dict[bytes, EvidenceRecord]:
    """A record of each document, under one time stamp."""
    leaves = {document: digest(algorithm, document) for document in DOCUMENTS}
    root, trees = hash_tree(algorithm, leaves.values())
    one = token(root, algorithm, at, by)
    return {
        document: EvidenceRecord(((archive_time_stamp(algorithm, trees[leaf], one),),))
        for document, leaf in leaves.items()
    }


def judged(record: EvidenceRecord | bytes, document: bytes, at: datetime, **trust: object) -> EvidenceVerdict:
    der = record if isinstance(record, bytes) else record.dump()
    store = TrustStore(Trust(**{"anchors": (pki().root.der,), "version": "test", **trust}))
    return judge_evidence_record(der, [imprint_of_bytes(document)], store, VERIFY, at)


@given(st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=40))
def test_each_leaf_of_any_tree_leads_to_its_root(leaves: list[bytes]) -> None:
    root, trees = hash_tree("sha256", leaves)
    assert set(trees) == set(leaves)
    for leaf, tree in trees.items():
        assert leaf in tree[0]
        assert root_of("sha256", tree) == root


def test_one_time_stamp_proves_every_document_and_no_other() -> None:
    records = made()
    assert len({record.chains[0][0].token for record in records.values()}) == 1
    for document, record in records.items():
        verdict = judged(record, document, NOW + timedelta(days=1))
        assert (verdict.indication, verdict.proven_time) == ("TOTAL-PASSED", NOW)
        assert judged(record, document + b".", NOW + timedelta(days=1)).reasons == ("evidence-record-data",)


def test_a_reduced_tree_holds_as_many_values_as_the_tree_is_high() -> None:
    _, trees = hash_tree("sha256", [digest("sha256", bytes([n])) for n in range(200)])
    assert max(len(tree) for tree in trees.values()) == 8


def test_a_record_reads_back_as_it_was_written() -> None:
    record = made()[DOCUMENTS[0]]
    assert read(record.dump()) == record


def test_without_renewal_it_ends_with_the_authoritys_certificate() -> None:
    record = made()[DOCUMENTS[0]]
    assert judged(record, DOCUMENTS[0], NOW + 2 * YEAR).passed
    late = judged(record, DOCUMENTS[0], NOW + 4 * YEAR)
    assert (late.indication, late.sub_indication, late.proven_time) == ("INDETERMINATE", "OUT_OF_BOUNDS_NO_POE", None)


def test_renewed_in_time_by_a_time_stamp_it_proves_the_first_time_after_decades() -> None:
    record, at = made()[DOCUMENTS[3]], NOW
    for _ in range(10):
        at += 2 * YEAR
        algorithm, over = time_stamp_to_renew(record)
        record = renewed_by_time_stamp(record, token(over, algorithm, at))
    verdict = judged(record, DOCUMENTS[3], at + YEAR)
    assert (verdict.indication, verdict.proven_time, verdict.renewals) == ("TOTAL-PASSED", NOW, 10)


def test_renewed_too_late_it_proves_nothing_and_says_why() -> None:
    record = made()[DOCUMENTS[0]]
    algorithm, over = time_stamp_to_renew(record)
    late = renewed_by_time_stamp(record, token(over, algorithm, NOW + 5 * YEAR))
    verdict = judged(late, DOCUMENTS[0], NOW + 6 * YEAR)
    assert (verdict.indication, verdict.sub_indication) == ("INDETERMINATE", "OUT_OF_BOUNDS_NO_POE")
    assert [stamp.passed for stamp in verdict.time_stamps] == [False, True]


def after_its_digest_ended(at: datetime, *, document: bytes = DOCUMENTS[2]) -> EvidenceRecord:
    """SHA-224 counts until 2029: a tree of SHA-512 is put around it at ``at``, over all documents again."""
    records = made("sha224")
    leaves = {each: leaf_to_renew(record.chains, "sha512", digest("sha512", each)) for each, record in records.items()}
    root, trees = hash_tree("sha512", leaves.values())
    again = token(root, "sha512", at)
    return renewed_by_hash_tree(records[document], "sha512", trees[leaves[document]], again)


def test_renewed_by_hash_tree_it_outlives_its_digest_algorithm() -> None:
    assert not judged(made("sha224")[DOCUMENTS[2]], DOCUMENTS[2], NOW + 2.5 * YEAR).passed
    record = after_its_digest_ended(NOW + YEAR)
    assert [chain[0].digest_algorithm for chain in record.chains] == ["sha224", "sha512"]
    verdict = judged(record, DOCUMENTS[2], NOW + 2.5 * YEAR)
    assert (verdict.indication, verdict.proven_time) == ("TOTAL-PASSED", NOW)
    assert judged(record, DOCUMENTS[1], NOW + 2.5 * YEAR).indication == "TOTAL-FAILED"


def test_a_hash_tree_renewed_after_the_digest_had_ended_proves_nothing() -> None:
    verdict = judged(after_its_digest_ended(NOW + 2.5 * YEAR), DOCUMENTS[2], NOW + 2.6 * YEAR)
    assert (verdict.indication, verdict.reasons) == ("INDETERMINATE", ("digest-algorithm",))


def test_a_new_tree_over_the_digests_alone_is_no_renewal() -> None:
    """Without the old chains in its leaf, a forged first chain could be put in front."""
    record = made()[DOCUMENTS[0]]
    leaf = digest("sha512", DOCUMENTS[0])
    forged = renewed_by_hash_tree(record, "sha512", ((leaf,),), token(leaf, "sha512", NOW + YEAR))
    assert judged(forged, DOCUMENTS[0], NOW + 2 * YEAR).indication == "TOTAL-FAILED"


def test_another_first_chain_under_a_renewal_fails() -> None:
    record = after_its_digest_ended(NOW + YEAR)
    earlier = made("sha224", at=NOW - YEAR / 2)[DOCUMENTS[2]]
    forged = EvidenceRecord((earlier.chains[0], record.chains[1]))
    assert judged(forged, DOCUMENTS[2], NOW + 2 * YEAR).indication == "TOTAL-FAILED"


def test_time_stamps_out_of_order_fail() -> None:
    record = made(at=NOW + YEAR, by=authority(NOW, ends=NOW + 9 * YEAR))[DOCUMENTS[0]]
    algorithm, over = time_stamp_to_renew(record)
    backdated = renewed_by_time_stamp(record, token(over, algorithm, NOW, authority(NOW, ends=NOW + 9 * YEAR)))
    assert judged(backdated, DOCUMENTS[0], NOW + 2 * YEAR).indication == "TOTAL-FAILED"


def test_an_authority_that_nobody_trusts_proves_nothing() -> None:
    verdict = judged(made()[DOCUMENTS[0]], DOCUMENTS[0], NOW, anchors=())
    assert (verdict.indication, verdict.sub_indication) == ("INDETERMINATE", "NO_CERTIFICATE_CHAIN_FOUND")


@given(st.data())
def test_no_altered_record_is_better_than_the_true_one(data: st.DataObject) -> None:
    document, der = _a_record()
    place = data.draw(st.integers(0, len(der) - 1))
    altered = der[:place] + bytes([der[place] ^ data.draw(st.integers(1, 255))]) + der[place + 1 :]
    verdict = judged(altered, document, NOW + timedelta(days=1))
    # Of the certificate that comes along and the unsigned rest, some bytes prove nothing and may be anything.
    assert not verdict.passed or verdict.proven_time == NOW


_kept: list[tuple[bytes, bytes]] = []


def _a_record() -> tuple[bytes, bytes]:
    if not _kept:
        _kept.append((DOCUMENTS[0], made()[DOCUMENTS[0]].dump()))
    return _kept[0]


@pytest.mark.parametrize(
    "der", [b"", b"\x30\x00", b"\x30\x80" * 2000, b"0" * 5_000_000], ids=["nothing", "empty", "nested", "large"]
)
def test_what_is_no_record_is_said_to_be_none(der: bytes) -> None:
    verdict = judged(der, b"", NOW)
    assert (verdict.indication, verdict.reasons) == ("TOTAL-FAILED", ("evidence-record-unreadable",))


def fixture(file: str) -> bytes:
    folder = os.environ.get("KHIZANA_FIXTURES")
    if not folder:
        pytest.skip("SKIPPED: KHIZANA_FIXTURES names no folder, so records of other software are not judged")
    return (Path(folder) / "pdf" / "evidence-records" / file).read_bytes()


def test_a_record_of_other_software_is_read_and_judged() -> None:
    der = fixture("evidence-record-7da49953-d837-4f0b-8f38-aa5aa4181e3c.ers")
    record = read(der)
    covered = bytes.fromhex("75fcc4d5c51713f5ccb2fb96a861c01c6414e384cc437025cd5c483297f2214f")
    known: list[Callable[[str], bytes | None]] = [lambda algorithm: covered if algorithm == "sha256" else None]
    certificates = cms.ContentInfo.load(record.chains[0][0].token)["content"]["certificates"]
    anchors = tuple(certificate.chosen.dump() for certificate in certificates)
    store = TrustStore(Trust(anchors=anchors, version="test"))
    at = datetime.fromisoformat("2024-06-01T00:00:00+00:00")
    verdict = judge_evidence_record(der, known, store, VERIFY, at)
    assert (verdict.indication, str(verdict.proven_time)) == ("TOTAL-PASSED", "2024-01-19 14:47:48+00:00")
    stranger = judge_evidence_record(der, [imprint_of_bytes(b"another document")], store, VERIFY, at)
    assert (stranger.indication, stranger.reasons) == ("TOTAL-FAILED", ("evidence-record-data",))
