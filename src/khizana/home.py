"""The one folder that holds all state of the embedded product."""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from khizana.embedded import child
from khizana.embedded import postgres as embedded_postgres
from khizana.embedded import s3 as embedded_s3
from kit.settings import SettingRefused

ROOT = Path(__file__).resolve().parent.parent.parent
"""The checkout: migrations, openapi and the lock files stand here."""
MIGRATIONS = ROOT / "migrations"


@dataclass(frozen=True)
class Home:
    folder: Path
    port: int
    public_url: str | None = None
    public_issuer: str | None = None
    """Where citizens reach it, behind an edge of its own: what the settings say, if they do."""

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Home":
        folder = Path(environ["KHIZANA_HOME"]) if environ.get("KHIZANA_HOME") else ROOT / ".khizana"
        port = environ.get("KHIZANA_PORT", "8000")
        if not port.isdigit() or not 0 < int(port) < 65536:
            raise SettingRefused("KHIZANA_PORT", "a number from 1 to 65535")
        return cls(folder.absolute(), int(port), environ.get("KHIZANA_LOCKER_URL"), environ.get("KHIZANA_ISSUER"))

    @property
    def url(self) -> str:
        return self.public_url or f"http://localhost:{self.port}"

    @property
    def issuer(self) -> str:
        return self.public_issuer or f"http://localhost:{self.port}/idp"

    def keys(self, app: str) -> Path:
        return self.folder / "keys" / app

    def secret(self, app: str) -> str:
        """64 hexadecimal digits, made once. Citizens' pairwise subjects derive from the provider's."""
        file = self.folder / f"{app}-secret"
        if not file.exists():
            child.write_private(file, secrets.token_hex(32))
        return file.read_text().strip()

    def environ(
        self,
        base: Mapping[str, str],
        *,
        postgres: embedded_postgres.Address,
        s3: embedded_s3.Kept,
    ) -> dict[str, str]:
        """What both apps are told. A setting that stands in ``base`` wins, so that each can be tried by hand."""
        ours = {
            "KHIZANA_MODE": "embedded",
            "KHIZANA_HOME": str(self.folder),
            "KHIZANA_PORT": str(self.port),
            "KHIZANA_ISSUER": self.issuer,
            "KHIZANA_LOCKER_URL": self.url,
            "KHIZANA_OWNER_DATABASE_URL": postgres.dsn("owner"),
            "KHIZANA_IDP_DATABASE_URL": postgres.dsn("idp"),
            "KHIZANA_IDP_SECRET": self.secret("idp"),
            "KHIZANA_IDP_KEYS_FOLDER": str(self.keys("idp")),
            "KHIZANA_IDP_DEMO_OUTBOX": "true",
            "KHIZANA_LOCKER_DATABASE_URL": postgres.dsn("locker"),
            "KHIZANA_LOCKER_SECRET": self.secret("locker"),
            "KHIZANA_LOCKER_KEYS_FOLDER": str(self.keys("locker")),
            "KHIZANA_LOCKER_S3_ENDPOINT": s3.endpoint,
            "KHIZANA_LOCKER_S3_ACCESS_KEY": s3.access_key,
            "KHIZANA_LOCKER_S3_SECRET_KEY": s3.secret_key,
            "KHIZANA_LOCKER_S3_BUCKET": embedded_s3.BUCKET,
            "KHIZANA_LOCKER_S3_FSYNC_FOLDER": str(self.folder / "objects" / embedded_s3.BUCKET),
        }
        return {**ours, **base}


def processors() -> int:
    """Those that we may use, which a container may limit."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
