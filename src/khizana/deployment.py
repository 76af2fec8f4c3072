"""What a command works on: the embedded product of the home, running or started for the occasion, or a production
deployment that the environment describes."""

import asyncio
import getpass
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import idp
from idp.keys.secrets import Secrets
from idp.messages.post import Post
from idp.settings import IdpSettings
from khizana.embedded import postgres as embedded_postgres
from khizana.embedded import s3 as embedded_s3
from khizana.embedded.postgres import EmbeddedPostgres
from khizana.embedded.s3 import EmbeddedS3
from khizana.home import MIGRATIONS, Home
from kit.migrate import migrate
from kit.pages import Pages
from kit.settings import SettingRefused, decode
from locker.settings import LockerSettings

if TYPE_CHECKING:
    from locker.verification.standalone import VerificationSettings

SCHEMAS = ("idp", "locker")


@dataclass(frozen=True)
class Deployment:
    environ: Mapping[str, str]

    @property
    def production(self) -> bool:
        return self.environ.get("KHIZANA_MODE", "production") == "production"

    def idp_settings(self) -> IdpSettings:
        return decode(self.environ, IdpSettings, others=[LockerSettings])

    def locker_settings(self) -> LockerSettings:
        return decode(self.environ, LockerSettings, others=[IdpSettings])

    def verification_settings(self) -> "VerificationSettings":
        """Of the service that verifies by itself."""
        # Not above: it brings the counters, which must not be there before a server said where they are kept.
        from locker.verification.standalone import VerificationSettings

        return decode(self.environ, VerificationSettings, others=[IdpSettings, LockerSettings])

    def owner_dsn(self) -> str:
        return secret_of(self.environ, "KHIZANA_OWNER_DATABASE_URL")

    async def migrate(self) -> dict[str, list[str]]:
        """Schema → the files that were applied."""
        return {schema: await migrate(self.owner_dsn(), MIGRATIONS / schema, schema) for schema in SCHEMAS}


def secret_of(environ: Mapping[str, str], name: str) -> str:
    """The value, or the content of the file that ``name``_FILE names."""
    if value := environ.get(name):
        return value
    if file := environ.get(f"{name}_FILE"):
        try:
            with open(file, encoding="utf-8") as opened:
                return opened.read().strip()
        except OSError as fault:
            raise SettingRefused(f"{name}_FILE", "this file cannot be read") from fault
    raise SettingRefused(name, "this setting is needed and not set")


def described_by(environ: Mapping[str, str]) -> bool:
    """Does the environment say where the databases are?"""
    return any(
        f"KHIZANA_{app}_DATABASE_URL{suffix}" in environ
        for app in ("OWNER", "IDP", "LOCKER")
        for suffix in ("", "_FILE")
    )


@contextmanager
def deployment() -> Iterator[Deployment]:
    """Blocks while embedded servers start; from the main thread, outside any event loop."""
    if described_by(os.environ):
        yield Deployment(dict(os.environ))
        return
    home = Home.of(os.environ)
    os.umask(0o077)
    with ExitStack() as stack:
        postgres = embedded_postgres.running(home.folder)
        if postgres is None:
            server = EmbeddedPostgres.start(home.folder)
            stack.callback(server.stop)
            postgres = server.address
        s3 = embedded_s3.running(home.folder)
        if s3 is None:
            store = EmbeddedS3.start(home.folder)
            stack.callback(store.stop)
            s3 = store.kept
        found = Deployment(home.environ(os.environ, postgres=postgres, s3=s3))
        asyncio.run(found.migrate())
        yield found


def officer() -> str:
    """Who is at the keyboard, for the audit."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid-{os.getuid()}"


def post_of(settings: IdpSettings) -> Post:
    """What a command writes to citizens goes the way of every other message."""
    pages = Pages({"idp": Path(idp.__file__).parent}, static_prefix="/idp/static", home="/idp/account")
    return Post(Secrets(bytes.fromhex(settings.secret)), pages)
