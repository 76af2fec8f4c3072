"""Hostile files are refused where they are prepared: none of them is signed, and the next one finds a worker."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from locker.signatures.seal_request import PrepareSeal
from locker.signatures.seal_workers import SealWorkers, seal_workers
from locker.signatures.sealer import SealingRefused
from tests.locker_world import plain_pdf


def job(pdf: Path, into: Path) -> PrepareSeal:
    return PrepareSeal(
        path=str(pdf),
        into=str(into),
        size_max_bytes=25_000_000,
        reserved_bytes=5_000,
        at=datetime.now(UTC),
        reason=None,
        location=None,
        docmdp_locked=True,
        stamp=None,
    )


async def test_no_bomb_is_sealed_and_what_is_in_order_is(fixtures_dir: Path, tmp_path: Path) -> None:
    bombs = sorted((fixtures_dir / "pdf" / "bombs").glob("*.pdf"))
    assert len(bombs) >= 15
    pool = seal_workers(workers=2, waiting_max=len(bombs), pdf_max_bytes=25_000_000)
    workers = SealWorkers(pool)

    async def reason(bomb: Path) -> str:
        try:
            await workers.prepare(job(bomb, tmp_path / bomb.name))
        except SealingRefused as refused:
            return str(refused.members["reason"])
        return "prepared"

    try:
        reasons = dict(zip(bombs, await asyncio.gather(*(reason(bomb) for bomb in bombs)), strict=True))
        assert [bomb.name for bomb, said in reasons.items() if said in ("prepared", "not-judged")] == []
        sound = tmp_path / "sound.pdf"
        sound.write_bytes(plain_pdf(pages=3))
        assert (await workers.prepare(job(sound, tmp_path / "prepared.pdf"))).digest
    finally:
        await pool.close()
