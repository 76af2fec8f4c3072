"""A campaign by hand: many seeds, one after the other, a line a phase and a table at the end."""

import argparse
import asyncio
import shutil
import sys
import tempfile
from pathlib import Path
from statistics import median

from tests.faults.chaos.faults import FAULTS
from tests.faults.chaos.model import Figures
from tests.faults.chaos.run import run, say

BROKEN_SHOWN = 40


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.chaos", description=__doc__)
    parser.add_argument("--seeds", default="1-5", help="1-20, or 3,7,9 (default: 1-5)")
    parser.add_argument("--seconds", type=float, default=90, help="of each seed, without its start (default: 90)")
    parser.add_argument("--folder", type=Path, help="what is kept: the logs of seeds that broke (default: a new one)")
    parser.add_argument("--faults", metavar="NAME,…", help=f"only these of: {', '.join(FAULTS)}")
    arguments = parser.parse_args()
    among = tuple(arguments.faults.split(",")) if arguments.faults else tuple(FAULTS)
    if unknown := set(among) - FAULTS.keys():
        parser.error(f"no such fault: {', '.join(unknown)}")
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="khizana-chaos-"))
    whole: list[Figures] = []
    try:
        for seed in _seeds(arguments.seeds):
            here = folder / f"seed-{seed}"
            figures = asyncio.run(run(seed, arguments.seconds, here, tell=say, among=among))
            whole.append(figures)
            if figures.broken:
                say(f"BROKEN seed {seed}, {figures.log}:\n" + "\n".join(figures.broken[:BROKEN_SHOWN]))
            else:
                shutil.rmtree(here, ignore_errors=True)
    except KeyboardInterrupt:
        say("interrupted: the table is of the seeds that came to their end")
    _table(whole)
    return int(any(one.broken for one in whole))


def _seeds(said: str) -> list[int]:
    first, dash, last = said.partition("-")
    return list(range(int(first), int(last) + 1)) if dash else [int(one) for one in said.split(",")]


def _table(whole: list[Figures]) -> None:
    def total(name: str) -> int:
        return sum(getattr(one, name) for one in whole)

    recovered = [one for figures in whole for one in figures.recovered_s]
    faults: dict[str, int] = {}
    statuses: dict[str, int] = {}
    for figures in whole:
        for counted, all_ in ((figures.faults, faults), (figures.statuses, statuses)):
            for name, many in counted.items():
                all_[name] = all_.get(name, 0) + many
    rows = [
        (
            "seeds that held, that broke",
            f"{sum(not one.broken for one in whole)}, {sum(bool(one.broken) for one in whole)}",
        ),
        ("minutes", f"{sum(one.seconds for one in whole) / 60:.1f}"),
        ("phases", total("phases")),
        ("operations, repeated, unanswered", f"{total('operations')}, {total('repeated')}, {total('unanswered')}"),
        ("kills of processes, of judges", f"{total('kills')}, {total('children_killed')}"),
        (
            "documents, shares, openings, uploads",
            ", ".join(str(total(n)) for n in ("documents", "shares", "openings", "uploads")),
        ),
        ("messages of webhooks, attempts not taken", f"{total('messages')}, {total('messages_refused')}"),
        ("erased, held in part", f"{total('erased')}, {total('held')}"),
        ("by reference, by code, exports", ", ".join(str(total(n)) for n in ("references", "codes", "exports"))),
        ("waited for the scanner", total("waited")),
        ("taken of what was allowed, disconnected", f"{total('authorized')}, {total('disconnected')}"),
        ("past their retention: gone, held", f"{total('retired')}, {total('retained')}"),
        ("seals, that got the rest later", f"{total('seals')}, {total('raised')}"),
        ("versions that replace another", total("chained")),
        ("orphans swept, leaves verified", f"{total('orphans_swept')}, {total('leaves')}"),
        ("losses", total("losses")),
        (
            "back after a fault, s: median, longest",
            f"{median(recovered):.2f}, {max(recovered):.2f}" if recovered else "-",
        ),
        *sorted((f"answers {name}", many) for name, many in statuses.items()),
        *sorted((f"phases with: {name}", many) for name, many in faults.items()),
    ]
    for name, value in rows:
        print(f"{name:<44} {value}")


if __name__ == "__main__":
    sys.exit(main())
