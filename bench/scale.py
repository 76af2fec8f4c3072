"""What a request costs with a thousand documents in the database, and what with millions."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.seed import Seeded

MEASURED = ("document_list", "history", "share_opening", "deposit")
CITIZENS = {False: 100_000, True: 1_000}
CITIZENS_OF_SMALL = 50
EACH = 20
ITEMS_MAX = 100
"""Openings and deposits in one round, of two connections."""
GOAL = 1.2
ROUNDS_FOR_ONE = 2
"""In turn, so that a moment in which the machine is busy falls on both."""


@dataclass(frozen=True)
class Cost:
    median_ms: float
    cpu_ms: float
    """Of server and database."""


def lines(costs: Mapping[str, tuple[Cost, Cost]], filled: Sequence[Seeded]) -> list[dict[str, Any]]:
    """``costs`` are those of the databases that were ``filled``: the small one, and the large one."""
    return list(_lines(costs, filled))


def _lines(costs: Mapping[str, tuple[Cost, Cost]], filled: Sequence[Seeded]) -> Iterator[dict[str, Any]]:
    seeded = filled[-1]
    yield {
        "measure": "seed",
        "citizens": seeded.citizens,
        "documents": seeded.documents,
        "seconds": round(seeded.seconds),
        "documents_per_s": round(seeded.documents / seeded.seconds),
        "database_mb": round(seeded.database_bytes / 1e6),
    }
    for name, (small, large) in costs.items():
        yield {
            "measure": f"scale_{name}",
            "documents": [each.documents_in_all for each in filled],
            "median_ms": [round(small.median_ms, 2), round(large.median_ms, 2)],
            "cpu_ms_per_op": [round(small.cpu_ms, 3), round(large.cpu_ms, 3)],
            "times": round(large.cpu_ms / small.cpu_ms, 2),
            "times_median": round(large.median_ms / small.median_ms, 2),
            "goal": GOAL,
        }
