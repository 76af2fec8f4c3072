"""What a row of ``expected.tsv`` asks for, and whether a verdict gives it."""

import csv
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from locker.signatures.schema import SignatureVerdict, Trust, Verdict

# Where we answer otherwise on purpose, file → reason. None of these passes where the table asks for a refusal.
DIVERGES: dict[str, str] = {}

# Levels that we call otherwise, file → reason.
LEVEL_DIVERGES: dict[str, str] = {}

# The table's verdict is the best without trust; these rows name anchors, the chain is found, and all else holds.
TRUSTED_BY_ITS_ANCHORS = {
    "dss/pades-lt-extended-dss.pdf",
    "dss/pades-revoc-removed-from-dss-dict.pdf",
    "dss/Signature-P-LT-ef971596-8f2e-407d-a413-aae9cb9b8e4a.pdf",
}


@dataclass(frozen=True)
class Row:
    file: str
    n_signatures: str
    level: str
    anchors: str
    validation_time: str
    expected: str
    crypto: str

    @property
    def at(self) -> datetime:
        if not self.validation_time:
            return datetime.now(UTC)
        return datetime.fromisoformat(self.validation_time.replace("Z", "+00:00"))

    def trust(self, folder: Path) -> Trust:
        anchors, _, crls = self.anchors.partition("(CRLs:")
        return Trust(
            anchors=tuple(_der(path) for pattern in anchors.split() for path in sorted(folder.glob(pattern))),
            crls=tuple((folder / name).read_bytes() for name in crls.rstrip(") ").split()),
            version="fixtures",
        )

    @property
    def may_pass(self) -> bool:
        return (
            self.expected.startswith(("TOTAL-PASSED", "[0] TOTAL-PASSED", "crypto valid"))
            or "any indication" in self.expected
            or self.file in TRUSTED_BY_ITS_ANCHORS
        )


def _der(path: Path) -> bytes:
    return x509.load_pem_x509_certificate(path.read_bytes()).public_bytes(Encoding.DER)


def rows(folder: Path) -> list[Row]:
    with (folder / "expected.tsv").open() as file:
        return [
            Row(
                file=line["file"],
                n_signatures=line["n_signatures"],
                level=line["pades_level"],
                anchors=line["anchors"],
                validation_time=line["validation_time"],
                expected=line["expected_verdict"],
                crypto=line["crypto_per_signature"],
            )
            for line in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        ]


def agrees(row: Row, verdict: Verdict) -> bool:
    expected = row.expected
    signatures = verdict.signatures
    first = signatures[0] if signatures else None
    if row.file in TRUSTED_BY_ITS_ANCHORS:
        return bool(signatures) and all(s.intact for s in signatures)
    if expected.startswith(("answer", "NOT TOTAL-PASSED")):
        return row.may_pass or not verdict.passed
    if expected.startswith("TOTAL-PASSED x2"):
        return len(signatures) == 2 and all(s.passed for s in signatures)
    if expected.startswith("TOTAL-PASSED"):
        return verdict.passed
    if expected.startswith("[0] TOTAL-PASSED"):
        return first is not None and first.passed
    if expected.startswith("NO_SIGNATURE_FOUND"):
        return verdict.indication == "NO_SIGNATURE_FOUND" or (
            "or FORMAT_FAILURE" in expected and verdict.sub_indication == "FORMAT_FAILURE"
        )
    if expected.startswith("rejected"):
        return verdict.indication == "TOTAL-FAILED" and not signatures
    if expected.startswith("REJECT"):
        return bool(signatures) and not any(s.passed for s in signatures)
    if expected.startswith("crypto valid"):
        return all(s.intact for s in signatures) and _level(first) == row.level
    if expected.startswith(("MIXED", "one TOTAL-FAILED")):
        return sorted(s.indication == "TOTAL-FAILED" for s in signatures) == [False, True]
    if expected.startswith("first signature "):
        return first is not None and _is(first, expected.removeprefix("first signature ").split()[0])
    if row.crypto == "first":
        # What the source asserts is about the first signature; the others do not hold.
        return first is not None and _is(first, expected) and not verdict.passed
    return _is(verdict, expected.split(" ")[0])


def level_agrees(row: Row, verdict: Verdict) -> bool | None:
    """None where the table asserts no level."""
    asserted = re.findall(r"(?:PAdES|PKCS7|PDF)[_-][A-Za-z0-9_-]+", row.level)
    if not asserted or not verdict.signatures:
        return None
    wanted = sorted("NOT-ETSI" if level == "PDF_NOT_ETSI" else level.replace("_", "-") for level in asserted)
    found = sorted(signature.level for signature in verdict.signatures)
    return found == (wanted if len(wanted) > 1 else wanted * len(found))


def _is(verdict: Verdict | SignatureVerdict, expected: str) -> bool:
    indication, _, sub_indication = expected.partition("/")
    return verdict.indication == indication and (not sub_indication or verdict.sub_indication == sub_indication)


def _level(signature: SignatureVerdict | None) -> str | None:
    return signature.level.replace("-", "_") if signature else None


def counts_agree(row: Row, verdict: Verdict) -> bool | None:
    """None where the table states no number."""
    stated = row.n_signatures
    if stated in ("", "-"):
        return None
    if stated.startswith(">="):
        return len(verdict.signatures) >= int(stated[2:].rstrip("EBO"))
    return len(verdict.signatures) == int(stated.rstrip("EBO"))
