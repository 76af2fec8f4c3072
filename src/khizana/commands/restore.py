"""One backup into an empty home: keys, objects, rows, then both compared."""

import argparse
import asyncio
import os
import tarfile
from pathlib import Path

from khizana.cli import CommandRefused
from khizana.commands.backup import SECRETS, embedded_home, script
from khizana.databases import connected, opened_vault
from khizana.deployment import Deployment, officer
from khizana.embedded import s3 as embedded_s3
from khizana.embedded.postgres import EmbeddedPostgres
from khizana.embedded.s3 import EmbeddedS3
from khizana.rounds import opened_sequencer
from khizana.say import answer, say
from kit.audit import Audit
from locker.erasing.erase import erase_again, erase_due
from locker.log.adopt import adopt
from locker.log.refusals import LogLed
from locker.log.schema import Adopted
from locker.log.sequence import LEASE_S
from locker.sweeping.reconcile import reconcile
from locker.sweeping.schema import Reconciled


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("backup", type=Path, help="one backup, as khizana backup named it")
    parser.add_argument("--keys", type=Path, required=True, help="the keys of that backup")


def run(arguments: argparse.Namespace) -> int:
    home = embedded_home()
    if any((home.folder / name).exists() for name in ("postgres", "objects", *SECRETS)):
        raise CommandRefused("not-empty", f"{home.folder} holds something already; name another in KHIZANA_HOME")
    os.umask(0o077)
    home.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tarfile.open(arguments.keys) as tar:
        tar.extractall(home.folder, filter="data")
    (home.folder / "objects" / embedded_s3.BUCKET).mkdir(parents=True)
    postgres = EmbeddedPostgres.start(home.folder)
    try:
        say(script(home, postgres.dsn("owner"), "restore.sh", str(arguments.backup.absolute())).splitlines()[0])
        # It lists what it finds when it starts.
        s3 = EmbeddedS3.start(home.folder)
        try:
            found = Deployment(home.environ(os.environ, postgres=postgres.address, s3=s3.kept))
            asyncio.run(found.migrate())
            compared, adopted = asyncio.run(_compared(found))
        finally:
            s3.stop()
    finally:
        postgres.stop()
    answer({"reconciled": compared, "adopted": adopted})
    return 1 if compared.missing else 0


async def _compared(found: Deployment) -> tuple[Reconciled, Adopted | None]:
    """Who was erased since is erased again; rows with objects; the log goes on where it was published. None: it never
    was."""
    settings = found.locker_settings()
    async with connected(settings.database_url) as db, opened_vault(db, settings) as vault:
        audit = Audit("locker")
        await erase_again(db, audit, vault, officer=officer())
        await erase_due(db, audit, vault)
        compared = await reconcile(db, audit, vault, grace_s=-60, restored=True)
        async with opened_sequencer(db, vault, settings) as sequencer:
            if await sequencer.objects.read_checkpoint() is None:
                return compared, None
            # The worker of the time of the backup leads until its lease is over.
            for _ in range(int(LEASE_S) + 5):
                try:
                    return compared, await adopt(sequencer)
                except LogLed:
                    await asyncio.sleep(1)
            return compared, await adopt(sequencer)
