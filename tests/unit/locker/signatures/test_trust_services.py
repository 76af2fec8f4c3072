"""What a trust list says of a service at the time that can be proven decides whether its certificate is an anchor."""

import asyncio
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from locker.signatures.judge import SignatureJudge, signature_workers
from locker.signatures.policies import VERIFY
from locker.signatures.schema import ServiceKind, ServicePeriod, Trust, TrustService, Verdict
from tests.unit.locker.signatures.signature_pki import NOW, YEAR, Holder, crl, judged, name, pki, sealed_pdf, trust

# Revocation is judged elsewhere; here it would only hide what the list says.
POLICY = msgspec.structs.replace(VERIFY, revocation="if-present")
DAY = timedelta(days=1)
LONG_AGO = NOW - 5 * YEAR


def service(
    holder: Holder,
    *periods: tuple[str, datetime],
    kind: ServiceKind = "ca",
    next_update: datetime | None = NOW + 10 * YEAR,
) -> TrustService:
    return TrustService(
        certificates=(holder.der,),
        kind=kind,
        type="any",
        name="any",
        provider="any",
        territory="MA",
        periods=tuple(
            ServicePeriod(since=since, status=status, granted=status == "granted")
            for status, since in periods or (("granted", LONG_AGO),)
        ),
        list_next_update=next_update,
    )


def verdict(*services: TrustService, time_stamped: bool = True, at: datetime = NOW + DAY, **changes: Any) -> Verdict:
    tsa = service(pki().tsa, kind="time-stamp")
    given: dict[str, Any] = {"anchors": (), "services": (*services, tsa), "crls": (), **changes}
    return judged(sealed_pdf(time_stamped=time_stamped), policy=POLICY, at=at, **given)


def refused(found: Verdict) -> tuple[str | None, str]:
    assert found.indication == "INDETERMINATE"
    return found.sub_indication, found.reasons[0]


def test_a_granted_authority_is_an_anchor() -> None:
    found = verdict(service(pki().issuing))
    assert found.passed
    assert found.signatures[0].proven_time == NOW


def test_an_authority_withdrawn_before_the_signature_is_refused() -> None:
    withdrawn = service(pki().issuing, ("withdrawn", NOW - DAY), ("granted", LONG_AGO))
    assert refused(verdict(withdrawn)) == ("NO_CERTIFICATE_CHAIN_FOUND_NO_POE", "service-not-granted")


def test_an_authority_withdrawn_after_the_proven_time_still_counts() -> None:
    withdrawn = service(pki().issuing, ("withdrawn", NOW + DAY), ("granted", LONG_AGO))
    assert verdict(withdrawn, at=NOW + 30 * DAY).passed


def test_without_a_time_stamp_nothing_proves_that_it_was_before() -> None:
    withdrawn = service(pki().issuing, ("withdrawn", NOW + DAY), ("granted", LONG_AGO))
    later = verdict(withdrawn, at=NOW + 30 * DAY, time_stamped=False)
    assert refused(later) == ("NO_CERTIFICATE_CHAIN_FOUND_NO_POE", "service-not-granted")


def test_the_moment_of_a_withdrawal_belongs_to_it() -> None:
    assert not verdict(service(pki().issuing, ("withdrawn", NOW), ("granted", LONG_AGO))).passed


def test_an_authority_granted_only_later_is_refused() -> None:
    assert refused(verdict(service(pki().issuing, ("granted", NOW + timedelta(hours=1))))) == (
        "NO_CERTIFICATE_CHAIN_FOUND",
        "service-not-granted",
    )


def test_an_authority_that_was_never_granted_is_refused() -> None:
    assert refused(verdict(service(pki().issuing, ("withdrawn", LONG_AGO)))) == (
        "NO_CERTIFICATE_CHAIN_FOUND",
        "service-not-granted",
    )


def test_withdrawn_and_granted_again_counts_by_the_time_between() -> None:
    gap = (("granted", NOW + DAY), ("withdrawn", NOW - DAY), ("granted", LONG_AGO))
    assert not verdict(service(pki().issuing, *gap), at=NOW + 2 * DAY).passed
    assert verdict(service(pki().issuing, *gap), at=NOW + 2 * DAY, time_stamped=False).passed


def test_of_two_services_of_one_certificate_one_granted_is_enough() -> None:
    assert verdict(service(pki().issuing, ("withdrawn", LONG_AGO)), service(pki().issuing)).passed


def test_our_own_anchor_is_trusted_whatever_a_list_says() -> None:
    assert verdict(service(pki().issuing, ("withdrawn", LONG_AGO)), anchors=(pki().issuing.der,)).passed


def test_a_list_speaks_before_an_anchor_above_it() -> None:
    """The root is ours, the authority below it is withdrawn: the chain ends at the withdrawn one."""
    found = verdict(service(pki().issuing, ("withdrawn", LONG_AGO)), anchors=(pki().root.der,))
    assert refused(found)[1] == "service-not-granted"


@pytest.mark.parametrize("kind", ["time-stamp", "ocsp"])
def test_a_service_of_another_kind_issues_no_signers(kind: ServiceKind) -> None:
    assert refused(verdict(service(pki().issuing, kind=kind))) == ("NO_CERTIFICATE_CHAIN_FOUND", "no-chain")


def test_an_authority_for_signers_vouches_for_no_time_stamp() -> None:
    found = judged(sealed_pdf(), policy=POLICY, at=NOW + DAY, anchors=(), crls=(), services=(service(pki().issuing),))
    (stamp,) = found.signatures[0].time_stamps
    assert (stamp.passed, stamp.sub_indication) == (False, "NO_CERTIFICATE_CHAIN_FOUND")
    assert found.signatures[0].proven_time is None


def test_a_time_stamper_withdrawn_before_its_stamp_proves_nothing() -> None:
    withdrawn = service(pki().tsa, ("withdrawn", NOW - DAY), ("granted", LONG_AGO), kind="time-stamp")
    found = judged(
        sealed_pdf(), policy=POLICY, at=NOW + DAY, anchors=(), crls=(), services=(service(pki().issuing), withdrawn)
    )
    (stamp,) = found.signatures[0].time_stamps
    assert (stamp.passed, stamp.reasons) == (False, ("service-not-granted",))


def test_an_expired_list_is_used_and_says_so() -> None:
    found = verdict(service(pki().issuing, next_update=NOW))
    assert found.passed
    assert "trust-list-expired" in found.signatures[0].remarks
    fresh = verdict(service(pki().issuing))
    assert "trust-list-expired" not in fresh.signatures[0].remarks


def responder() -> Holder:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = name("National Responder")
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(LONG_AGO)
        .not_valid_after(NOW + YEAR)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Holder(key, certificate)


def answer(by: Holder) -> bytes:
    made = pki()
    return (
        ocsp.OCSPResponseBuilder()
        .add_response(
            cert=made.seal.certificate,
            issuer=made.issuing.certificate,
            algorithm=hashes.SHA256(),
            cert_status=ocsp.OCSPCertStatus.GOOD,
            this_update=NOW,
            next_update=NOW + 2 * DAY,
            revocation_time=None,
            revocation_reason=None,
        )
        .responder_id(ocsp.OCSPResponderEncoding.NAME, by.certificate)
        .certificates([by.certificate])
        .sign(by.key, hashes.SHA256())
        .public_bytes(serialization.Encoding.DER)
    )


@pytest.mark.parametrize("granted", [True, False])
def test_a_listed_responder_answers_for_others_while_it_is_granted(granted: bool) -> None:
    """No authority delegated to it: the list alone does."""
    by = responder()
    listed = service(by, ("granted" if granted else "withdrawn", LONG_AGO), kind="ocsp")
    tsa = service(pki().tsa, kind="time-stamp")
    found = judged(
        sealed_pdf(),
        at=NOW + DAY,
        anchors=(),
        crls=(crl(pki().root),),
        ocsps=(answer(by),),
        services=(service(pki().issuing), listed, tsa),
    )
    assert found.passed is granted
    if not granted:
        assert refused(found) == ("TRY_LATER", "no-revocation-status")


def test_trust_that_was_stored_before_there_were_services_decodes() -> None:
    stored = msgspec.msgpack.encode({"anchors": [b"x"], "version": "1"})
    assert msgspec.msgpack.decode(stored, type=Trust).services == ()


def test_thousands_of_services_cost_no_parsing() -> None:
    """What a list names and nobody meets is not looked at: these certificates are none."""
    assert verdict(service(pki().issuing), *strangers()).passed


def strangers() -> tuple[TrustService, ...]:
    return tuple(
        msgspec.structs.replace(service(pki().issuing), certificates=(b"%d" % n,), subjects=(f"nobody {n}",))
        for n in range(5_000)
    )


async def test_thousands_of_services_go_to_the_workers_as_a_file(tmp_path: Path) -> None:
    tsa = service(pki().tsa, kind="time-stamp")
    given = trust(anchors=(), services=(service(pki().issuing), tsa, *strangers()))
    file = tmp_path / "sealed.pdf"
    file.write_bytes(sealed_pdf())
    pool = signature_workers(workers=2, wall_s=60)
    judge = SignatureJudge(pool)

    async def passes() -> bool:
        return (await judge.validate(file, trust=given, policy=POLICY, at=NOW + DAY)).passed

    try:
        assert all(await asyncio.gather(*(passes() for _ in range(8))))
        # A machine's temporary files may be cleaned under us, and a worker may be a new one.
        assert judge._sent._folder
        shutil.rmtree(judge._sent._folder.name)
        await pool.close()
        pool = signature_workers(workers=1, wall_s=60)
        judge._pool = pool
        assert await passes()
    finally:
        await pool.close()
