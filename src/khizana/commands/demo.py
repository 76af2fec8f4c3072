import argparse
import asyncio
import os

from khizana.cli import CommandRefused
from khizana.demo.seed import seed
from khizana.deployment import Deployment
from khizana.embedded import postgres as embedded_postgres
from khizana.embedded import s3 as embedded_s3
from khizana.home import Home
from khizana.say import answer


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "Goes on where it was interrupted; run again, it only tells the sign-ins."


def run(arguments: argparse.Namespace) -> int:
    home = Home.of(os.environ)
    postgres, s3 = embedded_postgres.running(home.folder), embedded_s3.running(home.folder)
    if postgres is None or s3 is None:
        raise CommandRefused("not-running", "the demo deposits through the running product: start ./khizana run first")
    found = Deployment(home.environ(os.environ, postgres=postgres, s3=s3))
    told = asyncio.run(seed(home.folder, idp_settings=found.idp_settings(), locker_settings=found.locker_settings()))
    answer(told)
    return 0
