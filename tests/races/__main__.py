"""Races acts of a locker against each other, in every order.

    .venv/bin/python -m tests.races [--steps] [first,first,… [second,second,…]]

Each of the firsts with each of the seconds; all of them with all of them is a night's work. ``again`` is the first once
more. What went wrong is said line by line, and ends it with 1.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from khizana.embedded.postgres import EmbeddedPostgres
from khizana.embedded.s3 import EmbeddedS3
from tests.conftest import Dsns, migrate_both
from tests.conftest import run as in_a_loop_of_its_own
from tests.interleaving import steps_stop
from tests.races.acts import ACTS
from tests.races.run import AGAIN, NotTogether, race
from tests.races.scene import open_stage, said


async def races(dsns: Dsns, s3: EmbeddedS3, folder: Path, firsts: list[str], seconds: list[str], *, steps: bool) -> int:
    wrong = 0
    async with open_stage(dsns, s3, folder) as stage:
        with steps_stop():
            for first in firsts:
                for second in seconds:
                    began = time.monotonic()
                    try:
                        raced = await race(stage, first, second)
                    except NotTogether as why:
                        print(f"{first} / {second}: not together, {str(why)[:100]}")
                        continue
                    print(f"{first} / {second}: {len(raced.orders)} orders, {time.monotonic() - began:.1f} s")
                    for order in raced.orders if steps else []:
                        print(f"    {order}: {said(order.first):40} | {said(order.second)}")
                    for one in raced.found:
                        print(f"!!  {one}")
                    wrong += len(raced.found)
                    sys.stdout.flush()
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.races", description=__doc__)
    parser.add_argument("firsts", nargs="?", default=",".join(ACTS))
    parser.add_argument("seconds", nargs="?", default=",".join((*ACTS, AGAIN)))
    parser.add_argument("--steps", action="store_true", help="say how each order went")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="khizana-races-") as made:
        home = Path(made)
        postgres = EmbeddedPostgres.start(home, durable=False)
        s3 = EmbeddedS3.start(home)
        try:
            (home / "locker").mkdir()
            owner = postgres.dsn("owner", "khizana")
            in_a_loop_of_its_own(migrate_both(owner))
            dsns = Dsns(owner, postgres.dsn("idp", "khizana"), postgres.dsn("locker", "khizana"))
            found = races(
                dsns, s3, home / "locker", asked.firsts.split(","), asked.seconds.split(","), steps=asked.steps
            )
            return 1 if asyncio.run(found) else 0
        finally:
            s3.stop()
            postgres.stop()


if __name__ == "__main__":
    sys.exit(main())
