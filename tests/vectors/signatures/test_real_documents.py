"""Every signed PDF that other software made, and every hostile one, judged in the limited worker."""

import re
import time
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path

import msgspec
import pytest
from pyhanko.pdf_utils.reader import PdfFileReader

from locker.signatures.judge import SignatureJudge, signature_workers
from locker.signatures.policies import DEPOSIT, VERIFY
from locker.signatures.reasons import REASONS
from locker.signatures.schema import Verdict
from tests.vectors.signatures.agreement import (
    DIVERGES,
    LEVEL_DIVERGES,
    Row,
    agrees,
    counts_agree,
    level_agrees,
    rows,
)

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def pdfs(fixtures_dir: Path) -> Path:
    return fixtures_dir / "pdf"


@pytest.fixture
async def judge() -> AsyncIterator[SignatureJudge]:
    # The worker's own limits keep the bounds of the table: it cannot use more memory than it has addresses, nor more
    # than 5 s of a core. The wall clock would also measure what else this machine does.
    pool = signature_workers(workers=1, address_space_bytes=512 * MIB, cpu_s=5, wall_s=60.0)
    yield SignatureJudge(pool)
    await pool.close()


async def test_every_file_gets_the_verdict_that_the_table_asks_for(
    pdfs: Path, judge: SignatureJudge, capsys: pytest.CaptureFixture[str]
) -> None:
    verdicts: dict[str, tuple[Row, Verdict]] = {}
    slow: dict[str, float] = {}
    for row in rows(pdfs):
        started = time.monotonic()
        verdict = await judge.validate(pdfs / row.file, trust=row.trust(pdfs), policy=VERIFY, at=row.at)
        slow[row.file] = time.monotonic() - started
        verdicts[row.file] = row, verdict

    passed_wrongly = [f for f, (row, v) in verdicts.items() if v.passed and not row.may_pass]
    assert passed_wrongly == []
    assert [f for f, (_, v) in verdicts.items() if "not-judged" in v.reasons] == []
    assert {r for _, v in verdicts.values() for s in (v, *v.signatures) for r in s.reasons} <= set(REASONS)
    assert {r for _, v in verdicts.values() for s in v.signatures for r in s.remarks} <= set(REASONS)

    disagree = {f: v for f, (row, v) in verdicts.items() if not agrees(row, v)}
    counts = [c for row, v in verdicts.values() if (c := counts_agree(row, v)) is not None]
    levels = {f: a for f, (row, v) in verdicts.items() if (a := level_agrees(row, v)) is not None}
    with capsys.disabled():
        print(
            f"\nsignature fixtures: {len(verdicts) - len(disagree)} of {len(verdicts)} verdicts agree, "
            f"{sum(counts)} of {len(counts)} numbers of signatures, "
            f"{sum(levels.values())} of {len(levels)} levels; slowest {max(slow.values()):.1f} s"
        )
    assert {f: (v.indication, v.sub_indication) for f, v in disagree.items() if f not in DIVERGES} == {}
    assert set(disagree) == set(DIVERGES), "a divergence that is none any more"
    assert {f for f, agreed in levels.items() if not agreed} == set(LEVEL_DIVERGES)


async def test_documents_of_a_registered_signer_are_accepted_for_deposit(pdfs: Path, judge: SignatureJudge) -> None:
    valid = [row for row in rows(pdfs) if row.file.startswith("generated/") and row.expected.startswith("TOTAL-PASSED")]
    assert len(valid) == 4
    for row in valid:
        reader = PdfFileReader(BytesIO((pdfs / row.file).read_bytes()))
        seals = tuple(s.signer_cert.dump() for s in reader.embedded_signatures)
        trust = row.trust(pdfs)
        unregistered = await judge.validate(pdfs / row.file, trust=trust, policy=DEPOSIT, at=row.at)
        assert unregistered.reasons == ("seal-not-registered",)
        registered = msgspec.structs.replace(trust, seals=seals)
        verdict = await judge.validate(pdfs / row.file, trust=registered, policy=DEPOSIT, at=row.at)
        assert verdict.passed, (row.file, verdict.reasons)


async def test_no_other_generated_file_is_accepted_for_deposit(pdfs: Path, judge: SignatureJudge) -> None:
    for row in rows(pdfs):
        if row.file.startswith("generated/") and not row.expected.startswith("TOTAL-PASSED"):
            path = pdfs / row.file
            trust = row.trust(pdfs)
            # Whatever certificate it brings is registered: the rest must still refuse it.
            try:
                reader = PdfFileReader(BytesIO(path.read_bytes()))
                seals = tuple(s.signer_cert.dump() for s in reader.embedded_signatures)
            except Exception:
                seals = ()
            trust = msgspec.structs.replace(trust, seals=seals)
            verdict = await judge.validate(path, trust=trust, policy=DEPOSIT, at=row.at)
            assert not verdict.passed, row.file


def test_the_page_of_divergences_names_the_same_files() -> None:
    page = (Path(__file__).parents[3] / "docs" / "signature-divergences.md").read_text()
    verdicts, levels = (
        dict(re.findall(r"^\| `([^`]+)` \| (.+) \|$", part, re.MULTILINE))
        for part in page.partition("## Files")[2].partition("## Kinds")[0].split("| file | level")
    )
    assert verdicts == DIVERGES
    assert levels == LEVEL_DIVERGES
