"""What the demo remembers between two starts, so that a seeding that was killed goes on where it was."""

import datetime as dt
import os
from pathlib import Path

import msgspec


class KeptCitizen(msgspec.Struct, kw_only=True):
    uid: str
    name: str
    locale: str
    password: str | None = None
    """Chosen before it is set, therefore known whenever it holds."""
    totp_secret: str | None = None
    activation_code: str | None = None
    """Of the citizen who is left to be activated by hand."""
    active: bool = False


class KeptShare(msgspec.Struct, kw_only=True):
    recipient: str
    path: str
    """Of the link: a port may change."""
    pin: str | None = None


class Kept(msgspec.Struct, kw_only=True):
    began_on: dt.date
    """The papers are dated from this day, also when the seeding goes on tomorrow."""
    registered: bool = False
    client_secrets: dict[str, str] = {}
    citizens: dict[str, KeptCitizen] = {}
    documents: dict[str, str] = {}
    """Key of a paper → document_id."""
    revoked: list[str] = []
    shares: list[KeptShare] = []
    done: bool = False


class Memory:
    """One file, replaced as a whole; it holds secrets of people who do not exist."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file = folder / "kept.json"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._file.exists():
            self.kept = msgspec.json.decode(self._file.read_bytes(), type=Kept)
        else:
            self.kept = Kept(began_on=dt.datetime.now(dt.UTC).date())
            self.save()

    def save(self) -> None:
        self.write(self._file, msgspec.json.format(msgspec.json.encode(self.kept), indent=1))

    def write(self, file: Path, body: bytes) -> None:
        """The whole of ``body`` or what was there before."""
        part = file.with_suffix(f".{os.getpid()}.part")
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            out.write(body)
            out.flush()
            os.fsync(out.fileno())
        part.replace(file)
