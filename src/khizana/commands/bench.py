"""Measure speed on a product of its own: temporary home, free port, two workers. One JSON line a measure."""

import argparse
import importlib
import sys
from typing import Any

from khizana.cli import CommandRefused
from khizana.home import ROOT


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--quick", action="store_true", help="one short round: shows that it works, not how fast")
    parser.add_argument("--peers", action="store_true", help="beside node-oidc-provider, measured in turn; needs npm")
    parser.add_argument("--citizens", type=int, help="how many `scale` seeds, each with 20 documents (100,000)")
    parser.add_argument("names", nargs="*", metavar="name", help=f"of: {', '.join(_bench().NAMES)}")


def run(arguments: argparse.Namespace) -> int:
    bench = _bench()
    if unknown := [name for name in arguments.names if name not in bench.NAMES]:
        raise CommandRefused("unknown-measure", f"{unknown[0]} is none of: {', '.join(bench.NAMES)}")
    try:
        if arguments.peers:
            bench.run_beside_peers(quick=arguments.quick)
        else:
            bench.run(arguments.names, quick=arguments.quick, citizens=arguments.citizens)
    except bench.LoadFailed as failure:
        raise CommandRefused("load-failed", str(failure)) from failure
    return 0


def _bench() -> Any:
    """The programs stand beside ``src``, because no part of the product needs them."""
    if str(ROOT) not in sys.path:
        sys.path.append(str(ROOT))
    return importlib.import_module("bench.run")
