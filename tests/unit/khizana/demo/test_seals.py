"""The demo's papers before the judge of the locker, with the demo's trust service as all that is believed."""

import datetime as dt
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from khizana.demo.country import ADMINISTRATIONS
from khizana.demo.documents import Registry, sealed_at
from khizana.demo.papers import Paper, papers
from khizana.demo.pki import Pki, load_or_create
from locker.signatures.judge import SignatureJudge, signature_workers
from locker.signatures.policies import deposit_policy
from locker.signatures.schema import Trust

TODAY = dt.datetime.now(dt.UTC).date()
PAPERS = papers(TODAY)
SEALED = [paper for index, paper in enumerate(PAPERS) if index % 4 == 0]
POLICY = deposit_policy(minimum_level="T")

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return load_or_create(
        tmp_path_factory.mktemp("demo") / "pki", [administration.seal_order for administration in ADMINISTRATIONS]
    )


@pytest.fixture(scope="module")
def registry(pki: Pki) -> Registry:
    return Registry(pki)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def judge() -> AsyncIterator[SignatureJudge]:
    pool = signature_workers(workers=1)
    yield SignatureJudge(pool)
    await pool.close()


def trust(pki: Pki, administration: str) -> Trust:
    return Trust(
        version="demo",
        anchors=pki.anchors,
        intermediates=pki.intermediates,
        crls=pki.crls,
        seals=(pki.seals[administration].der,),
    )


@pytest.mark.parametrize("paper", SEALED, ids=lambda paper: paper.key)
async def test_a_paper_passes_totally(
    registry: Registry, pki: Pki, judge: SignatureJudge, paper: Paper, tmp_path: Path
) -> None:
    file = tmp_path / "paper.pdf"
    file.write_bytes(registry.sealed(paper))
    verdict = await judge.validate(file, trust=trust(pki, paper.administration), policy=POLICY)
    assert verdict.indication == "TOTAL-PASSED", verdict
    (signature,) = verdict.signatures
    assert signature.level == "PAdES-BASELINE-T"
    assert signature.proven_time == sealed_at(paper)
    assert signature.docmdp == 1
    assert signature.signer is not None
    assert signature.signer.organisation == {a.identifier: a.names["fr"] for a in ADMINISTRATIONS}[paper.administration]
    assert verdict.warnings == ()


async def test_a_paper_of_another_administration_does_not_pass(
    registry: Registry, pki: Pki, judge: SignatureJudge, tmp_path: Path
) -> None:
    file = tmp_path / "paper.pdf"
    file.write_bytes(registry.sealed(PAPERS[0]))
    verdict = await judge.validate(file, trust=trust(pki, "ma.gov.justice"), policy=POLICY)
    assert not verdict.passed
    assert "seal-not-registered" in verdict.reasons


async def test_a_paper_that_was_changed_does_not_pass(
    registry: Registry, pki: Pki, judge: SignatureJudge, tmp_path: Path
) -> None:
    file = tmp_path / "paper.pdf"
    pdf = bytearray(registry.sealed(PAPERS[0]))
    pdf[pdf.index(b"stream") + 40] ^= 1
    file.write_bytes(pdf)
    verdict = await judge.validate(file, trust=trust(pki, PAPERS[0].administration), policy=POLICY)
    assert not verdict.passed


async def test_nobody_else_believes_the_demo(
    registry: Registry, pki: Pki, judge: SignatureJudge, tmp_path: Path
) -> None:
    other = load_or_create(tmp_path / "pki", [ADMINISTRATIONS[0].seal_order])
    file = tmp_path / "paper.pdf"
    file.write_bytes(registry.sealed(PAPERS[0]))
    mixed = replace(pki, root=other.root, issuing=other.issuing, crls=other.crls)
    verdict = await judge.validate(file, trust=trust(mixed, PAPERS[0].administration), policy=POLICY)
    assert not verdict.passed


async def test_the_seals_still_hold_in_four_years(
    registry: Registry, pki: Pki, judge: SignatureJudge, tmp_path: Path
) -> None:
    """A home is kept for long, and nobody renews the demo's certificates and lists."""
    file = tmp_path / "paper.pdf"
    file.write_bytes(registry.sealed(PAPERS[0]))
    later = dt.datetime.now(dt.UTC) + dt.timedelta(days=4 * 365)
    verdict = await judge.validate(file, trust=trust(pki, PAPERS[0].administration), policy=POLICY, at=later)
    assert verdict.indication == "TOTAL-PASSED", verdict
