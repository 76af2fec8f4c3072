"""deploy/backup.sh with the tools that the embedded servers bring, and the keys in a place of their own."""

import argparse
import os
import subprocess
import sys
import tarfile
from pathlib import Path

from khizana.cli import CommandRefused
from khizana.deployment import deployment, described_by
from khizana.embedded import s3 as embedded_s3
from khizana.embedded.postgres import binaries
from khizana.home import ROOT, Home
from khizana.say import answer

SECRETS = ("keys", "idp-secret", "locker-secret")
"""Of the home. Without them nothing in a backup can be opened, and nobody finds a citizen's documents again."""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, help="where backups are kept")
    parser.add_argument("--keys", type=Path, required=True, help="where the keys go; never with the backups")


def run(arguments: argparse.Namespace) -> int:
    home, folder, keys = embedded_home(), arguments.folder.absolute(), arguments.keys.absolute()
    if keys == folder or folder in keys.parents:
        raise CommandRefused("keys-beside", "with the keys beside it a backup is as good as plain text: another folder")
    with deployment() as found:
        backup = Path(script(home, found.owner_dsn(), "backup.sh", str(folder)).strip())
    answer({"backup": str(backup), "keys": str(_put_apart(home, keys / f"{backup.name}.keys.tar"))})
    return 0


def embedded_home() -> Home:
    if described_by(os.environ):
        raise CommandRefused("not-embedded", "this is for the embedded product; in production: deploy/backup.sh")
    return Home.of(os.environ)


def script(home: Home, database_url: str, name: str, *words: str) -> str:
    """What it said; its complaints go where ours go."""
    path = [str(binaries() / "bin"), str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
    done = subprocess.run(
        [str(ROOT / "deploy" / name), *words],
        env={
            **os.environ,
            "PATH": os.pathsep.join(path),
            "RCLONE_CONFIG": os.devnull,
            "KHIZANA_BACKUP_DATABASE_URL": database_url,
            "KHIZANA_BACKUP_OBJECTS": str(home.folder / "objects" / embedded_s3.BUCKET),
            "KHIZANA_BACKUP_KEYS": "",
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    if done.returncode:
        raise CommandRefused("failed", f"{name} ended with {done.returncode}")
    return done.stdout


def _put_apart(home: Home, file: Path) -> Path:
    os.umask(0o077)
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = file.with_suffix(".partial")
    with tarfile.open(partial, "w") as tar:
        for name in (*SECRETS, *(["demo.json"] if (home.folder / "demo.json").exists() else [])):
            tar.add(home.folder / name, arcname=name)
    partial.replace(file)
    return file
