"""Signatures over data: what passes, what does not, and what must not be believed of a clever file."""

import asyncio
import base64
import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from lxml import etree

from locker.signatures.asic_container import open_container
from locker.signatures.judge import SignatureJudge, signature_workers
from locker.signatures.policies import DEPOSIT, VERIFY
from locker.signatures.schema import Policy, Verdict
from locker.signatures.xml_signature import DS
from tests.sites import listening
from tests.unit.locker.signatures.data_signatures import (
    DATA,
    XML,
    asic_cades,
    b64u,
    by_hash,
    cades,
    container,
    jades,
    judged,
    jws_header,
    jws_value,
    manifest,
    xades,
    xades_detached,
)
from tests.unit.locker.signatures.signature_pki import NOW, YEAR, Holder, issue, name, pki, sealed_pdf, trust

XSI = "http://www.w3.org/2001/XMLSchema-instance"
OBJECTS = {"act.xml": XML.encode(), "données.json": DATA}


def against(found: Verdict) -> tuple[str, str | None, str]:
    assert not found.passed
    return found.indication, found.sub_indication, found.reasons[0]


Made = Callable[..., Verdict]
FORMS: dict[str, Made] = {
    "cades": lambda **given: judged(cades(**given), DATA),
    "cades-held": lambda **given: judged(cades(held=True, **given)),
    "jades": lambda **given: judged(jades(**given)),
    "jades-detached": lambda **given: judged(jades(detached=True, **given), DATA),
    "jades-flattened": lambda **given: judged(jades(form="flattened", **given)),
    "jades-general": lambda **given: judged(jades(form="general", **given)),
    "jades-unencoded": lambda **given: judged(jades(detached=True, b64=False, crit=["b64"], **given), DATA),
    "jades-by-hash": lambda **given: judged(jades(**by_hash(), **given), DATA, names=("data.json",)),
    "xades": lambda **given: judged(xades(**given)),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", ["elliptic", "rsa"])
def test_a_right_signature_passes_at_level_b(form: str, kind: str) -> None:
    by = pki().seal if kind == "elliptic" else pki().rsa_seal
    found = FORMS[form](by=by)
    assert found.passed, found.reasons
    (signature,) = found.signatures
    assert signature.level == f"{form[:2].upper().replace('CA', 'CA')}dES-BASELINE-B"
    assert (signature.intact, signature.covers_whole_file, signature.proven_time) == (True, True, None)
    assert signature.signer
    assert signature.signer.common_name in ("Ministry of Tests", "Court of Tests")


@pytest.mark.parametrize(
    "found",
    [
        lambda: judged(cades(stamped=True), DATA),
        lambda: judged(jades(form="flattened stamped")),
        lambda: judged(xades(stamped=True)),
    ],
)
def test_a_time_stamp_proves_a_time(found: Callable[[], Verdict]) -> None:
    (signature,) = found().signatures
    assert signature.passed
    assert signature.level.endswith("-BASELINE-T")
    assert signature.proven_time == NOW
    assert signature.time_stamps[0].passed


@pytest.mark.parametrize("form", FORMS)
def test_an_unknown_authority_leads_nowhere(form: str) -> None:
    stranger = issue(name("Ministry of Tests"), by=None)
    assert against(FORMS[form](by=stranger)) == ("INDETERMINATE", "NO_CERTIFICATE_CHAIN_FOUND", "no-chain")


@pytest.mark.parametrize("form", FORMS)
def test_a_certificate_that_has_expired_needs_a_proof(form: str) -> None:
    expired = issue(name("Old"), by=pki().issuing, not_before=NOW - 2 * YEAR, not_after=NOW - timedelta(days=1))
    assert against(FORMS[form](by=expired))[1] == "OUT_OF_BOUNDS_NO_POE"


@pytest.mark.parametrize("form", FORMS)
def test_a_certificate_for_something_else_is_refused(form: str) -> None:
    other = issue(name("Web site"), by=pki().issuing, non_repudiation=False, digital_signature=True)
    assert against(FORMS[form](by=other))[1:] == ("CHAIN_CONSTRAINTS_FAILURE", "key-usage")


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (lambda: judged(cades(), DATA + b" "), "document-altered"),
        (lambda: judged(cades(held=True), DATA + b" "), "document-altered"),
        (lambda: judged(jades(detached=True), DATA + b" "), "signature-value"),
        (lambda: judged(jades(), DATA + b" "), "document-altered"),
        (lambda: judged(jades(**by_hash()), DATA + b" ", names=("data.json",)), "document-altered"),
        (lambda: judged(xades().replace(b"Alaoui", b"Alami")), "document-altered"),
        (lambda: judged(xades().replace(b"1990", b"1991")), "document-altered"),
    ],
)
def test_other_data_is_found(found: Callable[[], Verdict], reason: str) -> None:
    assert against(found())[::2] == ("TOTAL-FAILED", reason)


@pytest.mark.parametrize("signature", [cades(), jades(detached=True), jades(**by_hash())])
def test_without_the_data_nothing_is_said_of_it(signature: bytes) -> None:
    assert against(judged(signature)) == ("TOTAL-FAILED", "FORMAT_FAILURE", "data-missing")


@pytest.mark.parametrize("form", ["cades", "jades", "xades"])
def test_a_deposit_asks_for_a_registered_seal_and_a_proven_time(form: str) -> None:
    made = {
        "cades": (cades(stamped=True), DATA),
        "jades": (jades(form="flattened stamped"), None),
        "xades": (xades(stamped=True), None),
    }[form]
    assert judged(*made, policy=DEPOSIT, seals=(pki().seal.der,)).passed
    assert against(judged(*made, policy=DEPOSIT))[2] == "seal-not-registered"
    without = {"cades": (cades(), DATA), "jades": (jades(), None), "xades": (xades(), None)}[form]
    assert against(judged(*without, policy=DEPOSIT, seals=(pki().seal.der,)))[2] == "level"


def test_cades_that_does_not_name_its_certificate_is_none_of_etsis() -> None:
    found = judged(cades(named=False), DATA)
    assert found.signatures[0].level == "NOT-ETSI"


def altered_jws(change: Callable[[dict[str, Any]], None], *, by: Holder | None = None) -> bytes:
    """Signed rightly, with a header as ``change`` leaves it."""
    by = by or pki().seal
    header = jws_header(by)
    change(header)
    protected = b64u(json.dumps(header).encode())
    signed = f"{protected}.{b64u(DATA)}"
    return f"{signed}.{b64u(jws_value(by, signed.encode()))}".encode()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda h: h.update(alg="none"), "signature-algorithm"),
        (lambda h: h.update(alg="HS256"), "signature-algorithm"),
        (lambda h: h.update(alg="ES384"), "signature-value"),
        (lambda h: h.update(alg="RS256"), "signature-value"),
        (lambda h: h.update(crit=["sigT", "exp"], exp=1), "critical-header"),
        (lambda h: h.update(crit=["sigD"]), "critical-header"),
        (lambda h: h.update(crit=[]), "critical-header"),
        (lambda h: h.update(b64=False), "critical-header"),
        (lambda h: h.update(b64=0, crit=["b64"]), "signature-unreadable"),
        (lambda h: h.update({"x5t#S256": b64u(b"x" * 32)}), "signing-certificate-mismatch"),
        (lambda h: h.pop("x5c"), "signing-certificate-missing"),
        (lambda h: h.pop("alg"), "signature-unreadable"),
    ],
)
def test_a_header_that_means_something_else_is_refused(change: Callable[[dict[str, Any]], None], reason: str) -> None:
    assert against(judged(altered_jws(change)))[2] == reason


def test_a_certificate_that_only_the_unprotected_header_shows_is_nobodys() -> None:
    """Whoever carries the signature could show another one for the same key."""
    whole = json.loads(jades(form="flattened"))
    header = json.loads(base64.urlsafe_b64decode(whole["protected"] + "=="))
    chain = header.pop("x5c")
    del header["x5t#S256"]
    protected = b64u(json.dumps(header).encode())
    value = b64u(jws_value(pki().seal, f"{protected}.{whole['payload']}".encode()))
    moved = {**whole, "protected": protected, "signature": value, "header": {"x5c": chain}}
    assert against(judged(json.dumps(moved).encode()))[2] == "signing-certificate-mismatch"


@pytest.mark.parametrize(
    "jws",
    [
        b'{"payload":"e30","payload":"e30","protected":"e30","signature":"AA"}',
        b'{"payload":"e30","protected":"e30","signature":"AA","signatures":[]}',
        b'{"payload":"e30"}',
        b"a.b.c",
        b"..",
        b"{" * 100_000,
        b"[1.2.3]",
    ],
)
def test_a_jws_that_two_readers_read_differently_is_refused(jws: bytes) -> None:
    assert judged(jws).indication == "TOTAL-FAILED"


def test_a_reference_that_is_not_handed_over_is_not_passed_over() -> None:
    two = by_hash()
    two["sigD"]["pars"].append("other.json")
    two["sigD"]["hashV"].append(two["sigD"]["hashV"][0])
    assert against(judged(jades(**two), DATA, names=("data.json",)))[2] == "data-missing"


def test_a_document_without_a_signature_has_none() -> None:
    assert judged(XML.encode()).indication == "NO_SIGNATURE_FOUND"


def test_a_wrapped_document_vouches_for_nothing() -> None:
    signed = etree.fromstring(xades())
    signature = signed.find(f"{DS}Signature")
    evil = etree.fromstring('<act xmlns="urn:act"><name>Somebody else</name></act>')
    evil.append(signature)
    hidden = etree.SubElement(evil, "{urn:x}old")
    hidden.append(signed)
    assert judged(etree.tostring(evil)).indication == "TOTAL-FAILED"
    nested = etree.fromstring('<act xmlns="urn:act"><name>Somebody else</name></act>')
    nested.append(etree.fromstring(xades()))
    assert against(judged(etree.tostring(nested)))[2] == "signature-missing"


def test_a_container_with_cades_passes_where_everything_is_covered() -> None:
    found = judged(asic_cades(OBJECTS))
    assert found.passed, found.reasons
    assert found.signatures[0].level == "CAdES-BASELINE-T"
    assert found.signatures[0].field_name == "META-INF/signature001.p7s"


def asic_xades(objects: dict[str, bytes], **more: bytes) -> bytes:
    return container({**objects, "META-INF/signatures001.xml": xades_detached(OBJECTS), **more})


def test_a_container_with_xades_passes_where_everything_is_covered() -> None:
    found = judged(asic_xades(OBJECTS))
    assert found.passed, found.reasons
    (signature,) = found.signatures
    assert (signature.level, signature.proven_time) == ("XAdES-BASELINE-T", NOW)


@pytest.mark.parametrize(
    ("objects", "reason"),
    [
        ({**OBJECTS, "act.xml": b"<act/>"}, "document-altered"),
        ({"act.xml": XML.encode()}, "data-missing"),
        ({**OBJECTS, "more.txt": b"x"}, "not-all-covered"),
    ],
)
def test_a_container_with_xades_holds_what_was_signed_and_nothing_else(objects: dict[str, bytes], reason: str) -> None:
    assert against(judged(asic_xades(objects)))[2] == reason


def test_of_two_signatures_each_must_hold() -> None:
    bad = xades_detached(OBJECTS).replace(b"<ds:SignatureValue>", b"<ds:SignatureValue>A")
    found = judged(asic_xades(OBJECTS, **{"META-INF/signatures002.xml": bad}))
    assert [signature.passed for signature in found.signatures] == [True, False]
    assert found.indication == "TOTAL-FAILED"


def test_an_object_that_nobody_covers_is_found() -> None:
    found = judged(asic_cades(OBJECTS, covered={"act.xml": OBJECTS["act.xml"]}))
    assert against(found) == ("INDETERMINATE", "SIG_CONSTRAINTS_FAILURE", "not-all-covered")


def test_a_file_that_hides_among_the_signatures_is_found() -> None:
    found = judged(asic_cades(OBJECTS, **{"META-INF/invoice.pdf": b"%PDF"}))
    assert against(found)[2] == "not-all-covered"


def test_an_object_that_was_changed_or_taken_away_is_found() -> None:
    changed = {**OBJECTS, "act.xml": b"<act/>"}
    assert against(judged(asic_cades(changed, covered=OBJECTS)))[::2] == ("TOTAL-FAILED", "document-altered")
    fewer = {"act.xml": OBJECTS["act.xml"]}
    assert against(judged(asic_cades(fewer, covered=OBJECTS)))[::2] == ("TOTAL-FAILED", "data-missing")


def test_a_container_without_signatures_has_none() -> None:
    assert judged(container(OBJECTS)).indication == "NO_SIGNATURE_FOUND"


def test_data_beside_a_container_must_be_in_it() -> None:
    assert judged(asic_cades(OBJECTS), DATA).passed
    assert against(judged(asic_cades(OBJECTS), b"other"))[2] == "not-all-covered"


def raw_container(change: Callable[[zipfile.ZipFile], None], *, mimetype: bool = True) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        if mimetype:
            archive.writestr("mimetype", b"application/vnd.etsi.asic-e+zip", zipfile.ZIP_STORED)
        change(archive)
    return file.getvalue()


def link() -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo("link")
    entry.external_attr = 0o120777 << 16
    return entry


HOSTILE = {
    "outside": raw_container(lambda z: z.writestr("../../etc/passwd", b"x")),
    "absolute": raw_container(lambda z: z.writestr("/etc/passwd", b"x")),
    "backslash": raw_container(lambda z: z.writestr("a\\b", b"x")),
    "link": raw_container(lambda z: z.writestr(link(), b"/etc/passwd")),
    "twice": raw_container(lambda z: [z.writestr(each, b"x") for each in ("a.txt", "A.TXT")] and None),
    "no-mimetype": raw_container(lambda z: z.writestr("a.txt", b"x"), mimetype=False),
    "other-type": container(OBJECTS, mimetype=b"application/zip"),
    "bytes-after": asic_cades(OBJECTS) + b"x",
    "bytes-between": asic_cades(OBJECTS).replace(b"PK\x01\x02", b"xxPK\x01\x02", 1),
    "cut": asic_cades(OBJECTS)[:-40],
    "bomb": raw_container(lambda z: z.writestr("zeros", b"\x00" * 30_000_000)),
    "many": raw_container(lambda z: [z.writestr(f"{n}", b"") for n in range(1_001)] and None),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_container_that_is_not_only_one_is_refused(kind: str) -> None:
    found = judged(HOSTILE[kind])
    assert found.indication in ("TOTAL-FAILED", "NO_SIGNATURE_FOUND")
    assert found.reasons[0] in ("container", "too-large", "too-many-objects")


@pytest.mark.parametrize(
    "start", [b"", b"\x30", b"\x30\x80\x00", b"<", b"<x", b"PK\x03\x04", b"\xff" * 100, b"%PDF-1.7"]
)
def test_what_is_none_of_these_is_answered(start: bytes) -> None:
    assert not judged(start).passed


def test_every_cut_of_every_form_is_answered() -> None:
    for whole in (cades(stamped=True), jades(form="flattened stamped"), xades(stamped=True), asic_cades(OBJECTS)):
        for length in range(0, len(whole) - 1, max(1, len(whole) // 23)):
            assert not judged(whole[:length], DATA).passed


async def test_the_worker_judges_the_same_and_lives_through_a_bomb(tmp_path: Path) -> None:
    signature, file = tmp_path / "data.p7s", tmp_path / "data"
    signature.write_bytes(cades(stamped=True))
    expected = await asyncio.to_thread(judged, cades(stamped=True), DATA)
    pool = signature_workers(workers=1, wall_s=60)
    judge = SignatureJudge(pool)

    async def answer(content: bytes, beside: Path | None = None, *, policy: Policy = VERIFY) -> Verdict:
        file.write_bytes(content)
        return await judge.validate_any(file, beside, trust=trust(), policy=policy, at=NOW)

    try:
        assert await answer(DATA, signature) == expected
        for whole in (asic_cades(OBJECTS), xades(), jades(), jades(form="general"), cades(held=True), sealed_pdf()):
            assert (await answer(whole)).passed
        for other in (b"<!DOCTYPE html><p>x</p>", b"PK\x03\x04" + b"x" * 100, b"{}", DATA, b"MZ"):
            assert "not-a-pdf" in (await answer(other)).reasons
        bomb = b"<!DOCTYPE x [<!ENTITY a 'http://www.w3.org/2000/09/xmldsig#'>]><x>&a;</x>"
        assert (await answer(bomb)).indication == "TOTAL-FAILED"
        small = msgspec.structs.replace(VERIFY, size_max_bytes=1_000)
        assert (await answer(asic_cades(OBJECTS), policy=small)).reasons == ("too-large",)
        # Where PDFs are asked for, nothing else is taken for one.
        file.write_bytes(asic_cades(OBJECTS))
        only_pdf = await judge.validate(file, trust=trust(), policy=VERIFY, at=NOW)
        assert "not-a-pdf" in only_pdf.reasons
    finally:
        await pool.close()


def test_a_manifest_that_names_another_signature_covers_nothing() -> None:
    stated = manifest(OBJECTS, signature="META-INF/other.p7s")
    meta = {"META-INF/ASiCManifest001.xml": stated, "META-INF/signature001.p7s": cades(stated)}
    assert against(judged(container({**OBJECTS, **meta})))[2] == "container"


def test_a_broken_certificate_that_is_brought_along_spoils_nothing() -> None:
    issuing = pki().issuing.der
    at = issuing.rindex(bytes.fromhex("0603551d0e"))
    broken = issuing[: at - 1] + b"\x7f" + issuing[at:]
    assert judged(cades(brought=[broken]), DATA).passed


SHOWN_OTHERWISE: dict[str, Callable[[], bytes]] = {
    "a style sheet before the root": lambda: b'<?xml version="1.0"?>' + STYLE + xades(),
    "a style sheet after the root": lambda: xades() + STYLE,
    "words in an object": lambda: within_signature(b"<ds:Object>Benali</ds:Object>"),
    "a script in an object": lambda: within_signature(
        b'<ds:Object><script xmlns="http://www.w3.org/1999/xhtml">document.write("Benali")</script></ds:Object>'
    ),
    "a script among the unsigned properties": lambda: xades(stamped=True).replace(
        b"</xades:UnsignedSignatureProperties>",
        b'<script xmlns="http://www.w3.org/1999/xhtml">x()</script></xades:UnsignedSignatureProperties>',
    ),
    "a PDF in a comment": lambda: b"<!-- %PDF-1.7 -->" + xades(),
    "a PDF in an unsigned member": lambda: json.dumps(
        {"x": "%PDF-1.7", **json.loads(jades(form="flattened"))}
    ).encode(),
    "a PDF in a file of META-INF": lambda: stored_first("META-INF/metadata.xml", b"%PDF-1.7"),
    "a method that the directory does not tell": lambda: stored_in_its_own_words(asic_cades(OBJECTS)),
}
STYLE = b'<?xml-stylesheet type="text/xsl" href="https://evil.example/other.xsl"?>'


def within_signature(more: bytes) -> bytes:
    changed = xades().replace(b"</ds:Signature>", more + b"</ds:Signature>")
    assert more in changed
    return changed


def stored_in_its_own_words(whole: bytes) -> bytes:
    """The second entry says before its bytes that they are not compressed."""
    at = whole.index(b"PK\x03\x04", 4) + 8
    assert whole[at : at + 2] == b"\x08\x00"
    return whole[:at] + b"\x00\x00" + whole[at + 2 :]


def stored_first(path: str, content: bytes) -> bytes:
    """A right container whose first entry after the mimetype is ``path``, not compressed."""
    entries = {path: content, **open_container(asic_cades(OBJECTS), size_max_bytes=10**6).objects}
    with zipfile.ZipFile(io.BytesIO(asic_cades(OBJECTS))) as archive:
        entries |= {name: archive.read(name) for name in archive.namelist() if name.startswith("META-INF/")}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("mimetype", b"application/vnd.etsi.asic-e+zip")
        for name_, stored in entries.items():
            archive.writestr(name_, stored)
    return file.getvalue()


@pytest.mark.parametrize("attack", SHOWN_OTHERWISE)
def test_g_02_what_a_reader_would_show_instead_of_what_was_signed_is_refused(attack: str) -> None:
    assert judged(SHOWN_OTHERWISE[attack]()).indication == "TOTAL-FAILED"


def test_g_18_a_bad_signature_behind_many_good_ones_is_not_passed_over() -> None:
    made = json.loads(jades(form="flattened"))
    good = {"protected": made["protected"], "signature": made["signature"]}
    bad = {"protected": made["protected"], "signature": b64u(b"x" * 64)}
    several = json.dumps({"payload": made["payload"], "signatures": [*[good] * VERIFY.signatures_max, bad]})
    assert against(judged(several.encode())) == ("INDETERMINATE", "GENERIC", "too-many-signatures")


def test_a_pdf_that_is_signed_may_be_the_first_object() -> None:
    assert judged(stored_first("META-INF/metadata.xml", b"<x/>")).passed
    pdf = sealed_pdf()
    stated = manifest({"act.pdf": pdf})
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("mimetype", b"application/vnd.etsi.asic-e+zip")
        archive.writestr("act.pdf", pdf)
        archive.writestr("META-INF/ASiCManifest001.xml", stated)
        archive.writestr("META-INF/signature001.p7s", cades(stated))
    assert judged(file.getvalue()).passed


def content_of_xml(xml: bytes) -> bytes:
    root = etree.fromstring(xml)
    for signature in root.findall(f"{DS}Signature"):
        root.remove(signature)
    return bytes(etree.tostring(root, method="c14n", with_comments=False))


def mutated(random: Random, original: bytes) -> bytes:
    changed = bytearray(original)
    at, other = random.randrange(len(changed)), random.randrange(len(changed))
    length = random.choice([1, 4, 40, 200])
    match random.randrange(5):
        case 0:
            changed[at] ^= 1 << random.randrange(8)
        case 1:
            del changed[at : at + length]
        case 2:
            changed[at:at] = changed[other : other + length]
        case 3:
            changed[at : at + length], changed[other : other + length] = (
                changed[other : other + length],
                changed[at : at + length],
            )
        case 4:
            changed[at:at] = random.choice(
                [b"<!---->", b"<x/>", b"{", b"PK\x01\x02", b"\x30\x80", b"..", b"&amp;", b" "]
            )
    return bytes(changed)


def test_no_mutation_is_better_than_its_original_and_none_is_a_fault() -> None:
    """A hundred thousand of them ran when this was written; here are some, the same each time."""
    random = Random(20261101)
    originals: dict[str, tuple[bytes, bytes | None]] = {
        "cades": (cades(stamped=True), DATA),
        "jades": (jades(form="flattened stamped"), None),
        "detached": (jades(**by_hash()), DATA),
        "xades": (xades(stamped=True), None),
        "asic": (asic_cades(OBJECTS), None),
        "asic-xades": (asic_xades(OBJECTS), None),
    }
    for _ in range(1_200):
        kind = random.choice(list(originals))
        original, data = originals[kind]
        changed = mutated(random, original)
        found = judged(changed, data)
        if not found.passed:
            continue
        if kind == "xades":
            assert content_of_xml(changed) == content_of_xml(original)
        elif kind.startswith("asic"):
            assert open_container(changed, size_max_bytes=1_000_000).objects == OBJECTS
        else:
            assert found.sha256 == hashlib.sha256(DATA).hexdigest()


async def test_nothing_that_a_signature_names_is_fetched() -> None:
    async with listening() as ear:
        address = f"http://127.0.0.1:{ear.port}/x"
        by_address = by_hash(name=address)
        tempting = [
            (altered_jws(lambda h: h.update(x5u=address, jku=address)), None),
            (jades(**by_address), None),
            (jades(**by_address), DATA),
            (xades(f'<act xmlns="urn:act" xmlns:xsi="{XSI}" xsi:schemaLocation="urn:act {address}"/>'), None),
            (f'<?xml-stylesheet href="{address}"?>'.encode() + xades(), None),
            (f'<!DOCTYPE act SYSTEM "{address}">'.encode() + xades(), None),
            (xades().replace(b'URI=""', f'URI="{address}"'.encode()), None),
            (asic_xades({**OBJECTS}).replace(b"act.xml", b"http://"), None),
        ]
        for signature, data in tempting:
            await asyncio.to_thread(judged, signature, data)
        assert ear.connections == 0
