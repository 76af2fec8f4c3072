"""Trust in a folder, for a service that has no database: who is believed stands in files, and nothing is remembered."""

import asyncio
import datetime as dt
import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from kit.audit import AuditEvent
from kit.errors import TooManyRequests
from kit.settings import SettingRefused
from kit.throttle import Limit
from kit.workers import WorkerPool
from locker.access.schema import Citizen
from locker.signatures.schema import Trust, TrustService, Verdict
from locker.trust.read_list import read_list
from locker.verification.schema import Deposited

CERTIFICATES = ("anchors", "time-stamp-anchors", "responders", "intermediates")
LISTS = ("crls", "ocsps")
log = logging.getLogger(__name__)

_FILES_MAX = 20_000
_BYTES_MAX = 50_000_000
_LOOKED_AT_AGAIN_S = 5.0
_BUCKETS_MAX = 100_000


class FolderRegister:
    """``folder`` holds ``anchors``, ``time-stamp-anchors``, ``responders``, ``intermediates`` (certificates, PEM with
    one or more, or DER), ``crls`` and ``ocsps`` (PEM or DER), and ``lists`` (TS 119 612, XML), each signed by one of
    ``list-signers``. What changes there counts within some seconds; the trust's version is a digest of it all."""

    def __init__(self, folder: Path, readers: WorkerPool, trust: Trust) -> None:
        self._folder = folder
        self._readers = readers
        self._trust = trust
        self._seen = _state_of(folder)
        self._looked_at = time.monotonic()
        self._counts: OrderedDict[str, tuple[int, int]] = OrderedDict()

    @classmethod
    async def open(cls, folder: Path, readers: WorkerPool) -> "FolderRegister":
        """``readers`` read trust lists. Raises SettingRefused for a folder that is not right."""
        return cls(folder, readers, await read_trust(folder, readers))

    async def trust(self) -> Trust:
        if time.monotonic() - self._looked_at > _LOOKED_AT_AGAIN_S:
            self._looked_at = time.monotonic()
            await self._look_again()
        return self._trust

    async def _look_again(self) -> None:
        """A file that is half written, or wrong, changes nothing: the trust of before stays."""
        try:
            seen = await asyncio.to_thread(_state_of, self._folder)
            if seen == self._seen:
                return
            self._trust = await read_trust(self._folder, self._readers)
            self._seen = seen
        except SettingRefused as refused:
            self._seen = seen
            log.warning("trust folder: %s", refused)
        except OSError as fault:
            # A file that is being replaced: the next look finds the new one.
            log.warning("trust folder: %s", fault.strerror)

    async def deposited(self, *, sha256: bytes, at: dt.datetime | None) -> Deposited | None:
        return None

    async def archived(self, document_id: str, *, at: dt.datetime | None, now: dt.datetime) -> Verdict | None:
        return None

    async def sealed_by(self, *, certificate_sha256: bytes) -> dict[str, str] | None:
        return None

    async def append(self, event: AuditEvent) -> None:
        """Nobody holds a document here whom it could concern."""

    async def count(self, limit: Limit, key: str) -> None:
        """In this process: with several, each counts for itself."""
        now = time.time()
        window = int(now // limit.per_s)
        bucket = f"{limit.name}:{key}"
        since, attempts = self._counts.pop(bucket, (window, 0))
        attempts = attempts + 1 if since == window else 1
        self._counts[bucket] = (window, attempts)
        while len(self._counts) > _BUCKETS_MAX:
            self._counts.popitem(last=False)
        if attempts > limit.attempts:
            raise TooManyRequests(limit.name, retry_after_s=int((window + 1) * limit.per_s - now) + 1)

    async def citizen(self, session: str | None) -> Citizen | None:
        return None


async def read_trust(folder: Path, readers: WorkerPool) -> Trust:
    """Raises SettingRefused with the name of a file that is not what it should be, or where nobody is trusted."""
    trust = await asyncio.to_thread(read_files, folder)
    signers = tuple(await asyncio.to_thread(_list_signers, folder))
    services: list[TrustService] = []
    version = hashlib.sha256(trust.version.encode())
    for path in _files(folder / "lists"):
        xml = await asyncio.to_thread(path.read_bytes)
        answer = await read_list(readers, xml, signers)
        if answer.found is None:
            raise SettingRefused(f"lists/{path.name}", answer.refused or "this is no trust list")
        services += answer.found.services
        version.update(hashlib.sha256(xml).digest())
    if not services:
        return trust
    return msgspec.structs.replace(trust, services=tuple(services), version=version.hexdigest()[:16])


def _list_signers(folder: Path) -> list[bytes]:
    return [der for path in _files(folder / "list-signers") for der in _certificates(path)]


def read_files(folder: Path) -> Trust:
    """Certificates and revocation data, without the trust lists. Blocks."""
    version = hashlib.sha256()
    read: dict[str, tuple[bytes, ...]] = {}
    for name in CERTIFICATES + LISTS:
        found: list[bytes] = []
        for path in _files(folder / name):
            try:
                found += _certificates(path) if name in CERTIFICATES else [_list(path)]
            except (ValueError, TypeError, UnsupportedAlgorithm, OSError):
                raise SettingRefused(f"{name}/{path.name}", "this is not what the folder is for") from None
        read[name] = tuple(dict.fromkeys(found))
        for der in read[name]:
            version.update(name.encode() + b"\0" + hashlib.sha256(der).digest())
    if not read["anchors"] and not _files(folder / "lists"):
        raise SettingRefused("anchors", f"neither {folder}/anchors nor lists holds any: nobody would be trusted")
    return Trust(
        version=version.hexdigest()[:16],
        anchors=read["anchors"],
        time_stamp_anchors=read["time-stamp-anchors"],
        responders=read["responders"],
        intermediates=read["intermediates"],
        crls=read["crls"],
        ocsps=read["ocsps"],
    )


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    if len(files) > _FILES_MAX or sum(path.stat().st_size for path in files) > _BYTES_MAX:
        raise SettingRefused(folder.name, f"more than {_FILES_MAX} files or {_BYTES_MAX} bytes")
    return files


def _certificates(path: Path) -> Iterator[bytes]:
    content = path.read_bytes()
    if b"-----BEGIN" in content:
        listed = x509.load_pem_x509_certificates(content)
    else:
        listed = [x509.load_der_x509_certificate(content)]
    return iter([certificate.public_bytes(Encoding.DER) for certificate in listed])


def _list(path: Path) -> bytes:
    content = path.read_bytes()
    if b"-----BEGIN X509 CRL" in content:
        return x509.load_pem_x509_crl(content).public_bytes(Encoding.DER)
    if path.parent.name == "crls":
        return x509.load_der_x509_crl(content).public_bytes(Encoding.DER)
    ocsp.load_der_ocsp_response(content)
    return content


def _state_of(folder: Path) -> tuple[tuple[str, int, int], ...]:
    return tuple(
        (str(path), stat.st_mtime_ns, stat.st_size)
        for name in (*CERTIFICATES, *LISTS, "lists", "list-signers")
        for path in _files(folder / name)
        for stat in [path.stat()]
    )
