import statistics
import time
from datetime import timedelta
from io import BytesIO

import pytest
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import MDPPerm

from locker.signatures.seal import Sealer, SealingRefused, Stamp, seal
from tests.unit.locker.signatures.signature_pki import NOW, YEAR, issue, name, pki, plain_pdf


def read(pdf: bytes) -> PdfFileReader:
    return PdfFileReader(BytesIO(pdf))


@pytest.mark.parametrize("holder", ["seal", "rsa_seal"])
@pytest.mark.parametrize("time_stamped", [True, False])
def test_a_seal_is_pades_and_covers_the_file(holder: str, time_stamped: bool) -> None:
    sealed = seal(
        plain_pdf(),
        sealer=getattr(pki(), holder).sealer(),
        timestamper=pki().tsa.time_stamper() if time_stamped else None,
        reason="Extract delivered",
        location="Rabat",
        at=NOW,
    )
    [signature] = read(sealed).embedded_signatures
    signature.compute_integrity_info()
    assert signature.sig_object["/SubFilter"] == "/ETSI.CAdES.detached"
    assert signature.sig_object["/Reason"] == "Extract delivered"
    assert signature.coverage.name == "ENTIRE_FILE"
    assert signature.docmdp_level is MDPPerm.NO_CHANGES
    assert bool(signature.signer_info["unsigned_attrs"]) is time_stamped
    assert signature.self_reported_timestamp == NOW


def test_the_reserved_space_is_small_and_enough() -> None:
    sealed = seal(plain_pdf(), sealer=pki().rsa_seal.sealer(), timestamper=pki().tsa.time_stamper(), at=NOW)
    [signature] = read(sealed).embedded_signatures
    used = len(signature.signed_data.dump())
    assert used < len(signature.pkcs7_content) < used + 2500


def test_a_seal_that_is_not_locked_leaves_room_for_a_second_one() -> None:
    first = seal(plain_pdf(), sealer=pki().seal.sealer(), docmdp_locked=False, at=NOW)
    second = seal(first, sealer=pki().rsa_seal.sealer(), docmdp_locked=False, field_name="Second", at=NOW)
    assert [s.field_name for s in read(second).embedded_signatures] == ["Seal", "Second"]


def test_a_signed_document_cannot_be_locked_by_a_second_seal() -> None:
    first = seal(plain_pdf(), sealer=pki().seal.sealer(), docmdp_locked=False, at=NOW)
    with pytest.raises(SealingRefused):
        seal(first, sealer=pki().rsa_seal.sealer(), field_name="Second", at=NOW)


def test_an_expired_certificate_does_not_seal() -> None:
    with pytest.raises(SealingRefused):
        seal(plain_pdf(), sealer=pki().seal.sealer(), at=NOW + 4 * YEAR)
    with pytest.raises(SealingRefused):
        seal(plain_pdf(), sealer=pki().seal.sealer(), at=NOW - YEAR - timedelta(days=1))


def test_a_key_seals_with_its_own_certificate_only() -> None:
    with pytest.raises(SealingRefused):
        Sealer(pki().seal.key, pki().rsa_seal.der)


def test_a_certificate_without_non_repudiation_does_not_seal() -> None:
    holder = issue(name("TLS"), by=pki().issuing, non_repudiation=False, digital_signature=True)
    with pytest.raises(SealingRefused):
        holder.sealer()


def test_a_visible_stamp_shows_its_text() -> None:
    stamp = Stamp(text="Sealed 100% by the Ministry", box=(72, 72, 272, 122))
    sealed = seal(plain_pdf(), sealer=pki().seal.sealer(), stamp=stamp, at=NOW)
    [signature] = read(sealed).embedded_signatures
    assert [int(edge) for edge in signature.sig_field["/Rect"]] == [72, 72, 272, 122]
    assert "/AP" in signature.sig_field


def test_sealing_needs_no_event_loop_and_keeps_the_key_parsed() -> None:
    sealer = pki().rsa_seal.sealer()
    durations = []
    for _ in range(5):
        started = time.process_time()
        seal(plain_pdf(), sealer=sealer, at=NOW)
        durations.append(time.process_time() - started)
    # Parsing the key again would cost 134 ms each.
    assert statistics.median(durations) < 0.130


async def test_sealing_works_inside_an_event_loop() -> None:
    assert seal(plain_pdf(), sealer=pki().seal.sealer(), timestamper=pki().tsa.time_stamper(), at=NOW)
