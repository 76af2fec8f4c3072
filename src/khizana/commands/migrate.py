import argparse
import asyncio

from khizana.deployment import SCHEMAS, deployment
from khizana.home import MIGRATIONS
from khizana.say import answer
from kit.migrate import pending


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--check", action="store_true", help="apply nothing; exit code 1 if something is pending")


def run(arguments: argparse.Namespace) -> int:
    with deployment() as found:
        if arguments.check:
            waiting = {
                schema: asyncio.run(pending(found.owner_dsn(), MIGRATIONS / schema, schema)) for schema in SCHEMAS
            }
            answer({"pending": waiting})
            return 1 if any(waiting.values()) else 0
        answer({"applied": asyncio.run(found.migrate())})
    return 0
