"""Runs the package ``bench``, which starts a product of its own in a temporary home."""

import argparse
import subprocess
import sys

from khizana.home import ROOT

PASSES_ON = True


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bench", nargs="*", help="arguments for the package bench")


def run(arguments: argparse.Namespace) -> int:
    return subprocess.run([sys.executable, "-m", "bench", *arguments.bench], cwd=ROOT).returncode
