"""Ours, stock pyHanko called the obvious way, and the least that anybody has to do: in turn, in one process."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Literal

Contestants = Mapping[Literal["khizana", "pyhanko", "limit"], Callable[[], object]]


def beside_stock(
    measure: str, contestants: Contestants, *, rounds: int, quick: bool, limit: str, digits: int, note: str
) -> dict[str, Any]:
    """One line: by CPU time, the best of the rounds. ``digits`` are those of a small figure."""
    best = dict.fromkeys(contestants, 0.0)
    for _ in range(1 if quick else rounds):
        for name, once in contestants.items():
            best[name] = max(best[name], _rate(once, 0.3 if quick else 2.0))
    return {
        "measure": measure,
        "rate_per_s": round(best["khizana"], 1),
        "cpu_ms_per_op": round(1000 / best["khizana"], digits),
        "pyhanko_rate_per_s": round(best["pyhanko"], 1),
        "times_pyhanko": round(best["khizana"] / best["pyhanko"], 2),
        "limit": limit,
        "limit_rate_per_s": round(best["limit"], 1),
        "ratio": round(best["khizana"] / best["limit"], 4),
        "note": f"{note}; CPU time of one process, best round",
    }


def _rate(once: Callable[[], object], seconds: float) -> float:
    once()
    done, started = 0, time.process_time()
    while (spent := time.process_time() - started) < seconds or not done:
        once()
        done += 1
    return done / spent
