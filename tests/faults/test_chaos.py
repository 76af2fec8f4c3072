"""One seed of chaos: some phases of faults under everybody's work, and after each everything that was answered is true.

A campaign of many seeds is run by hand: docs/faults.md.
"""

from pathlib import Path

import msgspec
import pytest

from tests.faults.chaos.faults import FAULTS
from tests.faults.chaos.run import plan, run, say

pytestmark = pytest.mark.slow

SEED = 12018
"""The database, the provider, a worker and the object store: each has its fault in the first phases."""
PHASES = 2


async def test_what_was_answered_is_true_after_each_phase_of_faults(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with capsys.disabled():
        say("")
        figures = await run(SEED, 0, tmp_path / "chaos", phases_min=PHASES, tell=say)
        say(f"chaos {msgspec.json.encode(figures).decode()}")
    assert not figures.broken, f"seed {SEED}, operations in {figures.log}:\n" + "\n".join(figures.broken)
    assert figures.phases == PHASES


def test_a_seed_says_what_goes_wrong_and_leaves_no_fault_out() -> None:
    def of(seed: int) -> list[list[str]]:
        phases = plan(seed)
        return [next(phases) for _ in FAULTS]

    assert of(7) == of(7) != of(8)
    assert {fault for phase in of(7) for fault in phase} == set(FAULTS)
