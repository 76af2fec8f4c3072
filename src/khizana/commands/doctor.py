"""Looks at everything that this program depends on, and says for each what to do."""

import argparse
import asyncio
import datetime as dt
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from idp.keys.device import KeyDevice
from idp.keys.place import place_of
from idp.keys.ring import KeysMissing, key_set
from idp.keys.rotate import due
from idp.settings import IdpSettings
from khizana.databases import connected, opened_vault
from khizana.deployment import SCHEMAS, Deployment, deployment
from khizana.home import MIGRATIONS
from khizana.say import answer
from kit.errors import Refusal
from kit.migrate import pending
from kit.settings import SettingRefused
from locker.scanning.check_scanner import check_scanner
from locker.scanning.open_scanner import open_scanner
from locker.scanning.refusals import ScannerAway
from locker.settings import LockerSettings
from locker.signing.folder import read
from locker.vault.blobs import S3BlobStore
from locker.vault.keys import FileMasterKey, MasterKeyFileRefused
from locker.vault.masters import master_file, masters_of
from locker.vault.refusals import BlobStoreUnavailable

CONNECT_MAX_S = 5.0
SKEW_MAX_S = 2.0
ROTATION_LATE_S = 86_400.0
"""The worker looks every ten minutes: what is a day late is not done at all."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    what: str
    ok: bool
    says: str
    do: str = ""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON answer instead of lines")


def run(arguments: argparse.Namespace) -> int:
    with deployment() as found:
        findings = asyncio.run(_look(found))
    if arguments.json:
        answer({"ok": all(finding.ok for finding in findings), "findings": findings})
    else:
        for finding in findings:
            print(f"{'ok ' if finding.ok else 'BAD'}  {finding.what}: {finding.says}")
            if not finding.ok:
                print(f"     → {finding.do}")
    return 0 if all(finding.ok for finding in findings) else 1


async def _look(found: Deployment) -> list[Finding]:
    findings = []
    for check in (_settings, _databases, _migrations, _keys, _objects, _scanner):
        findings += [finding async for finding in check(found)]
    return findings


async def _settings(found: Deployment) -> AsyncIterator[Finding]:
    decoders: dict[str, Callable[[], Any]] = {"provider": found.idp_settings, "locker": found.locker_settings}
    for app, decode in decoders.items():
        try:
            settings = decode()
        except SettingRefused as refused:
            yield Finding(what=f"settings of the {app}", ok=False, says=str(refused), do="change it, or unset it")
        else:
            yield Finding(what=f"settings of the {app}", ok=True, says=f"mode {settings.mode}")


def _dsn(found: Deployment, role: str) -> str | None:
    try:
        match role:
            case "owner":
                return found.owner_dsn()
            case "idp":
                return found.idp_settings().database_url
            case _:
                return found.locker_settings().database_url
    except SettingRefused:
        return None


async def _databases(found: Deployment) -> AsyncIterator[Finding]:
    for role in ("owner", "idp", "locker"):
        what = f"database, role {role}"
        dsn = _dsn(found, role)
        if dsn is None:
            yield Finding(
                what=what, ok=False, says="its address is not set", do=f"set KHIZANA_{role.upper()}_DATABASE_URL"
            )
            continue
        try:
            connection = await asyncpg.connect(dsn, timeout=CONNECT_MAX_S)
        except (OSError, TimeoutError, asyncpg.PostgresError, ValueError) as fault:
            yield Finding(
                what=what,
                ok=False,
                says=type(fault).__name__,
                do="is PostgreSQL running, and do role and password in the URL exist?",
            )
            continue
        try:
            yield await _role(connection, role)
            if role == "owner":
                yield await _clock(connection)
        finally:
            await connection.close()


async def _role(connection: Any, role: str) -> Finding:
    user, superuser, version = await connection.fetchrow(
        """
        SELECT current_user::text, rolsuper, current_setting('server_version')
          FROM pg_roles WHERE rolname = current_user"""
    )
    foreign = "locker" if role == "idp" else "idp"
    reaches = role != "owner" and await connection.fetchval(
        "SELECT count(*) > 0 FROM pg_namespace WHERE nspname = $1 AND has_schema_privilege(oid, 'USAGE')", foreign
    )
    if role != "owner" and (superuser or reaches):
        return Finding(
            what=f"database, role {role}",
            ok=False,
            says=f"{user} reaches more than its own schema",
            do=f"give the {role} a role of its own: CREATE ROLE {role} LOGIN, without SUPERUSER",
        )
    return Finding(what=f"database, role {role}", ok=True, says=f"PostgreSQL {version} as {user}")


async def _clock(connection: Any) -> Finding:
    before = dt.datetime.now(dt.UTC)
    there: dt.datetime = await connection.fetchval("SELECT clock_timestamp()")
    after = dt.datetime.now(dt.UTC)
    # An answer that was long on its way says only that its moment lay between these two.
    skew = (there - min(max(there, before), after)).total_seconds()
    return Finding(
        what="clock",
        ok=abs(skew) <= SKEW_MAX_S,
        says=f"the database is {abs(skew):.2f} s {'ahead of' if skew > 0 else 'behind'} this machine",
        do="set both clocks by NTP: tokens and signatures are judged by them",
    )


async def _migrations(found: Deployment) -> AsyncIterator[Finding]:
    dsn = _dsn(found, "owner")
    if dsn is None:
        return
    for schema in SCHEMAS:
        try:
            missing = await pending(dsn, MIGRATIONS / schema, schema)
        except (OSError, TimeoutError, asyncpg.PostgresError) as fault:
            yield Finding(
                what=f"migrations of {schema}", ok=False, says=type(fault).__name__, do="see the database above"
            )
            continue
        yield Finding(
            what=f"migrations of {schema}",
            ok=not missing,
            says=f"{len(missing)} to apply" if missing else "all applied",
            do="khizana migrate",
        )


async def _keys(found: Deployment) -> AsyncIterator[Finding]:
    try:
        settings = found.idp_settings()
        async for finding in _signing_keys(settings):
            yield finding
        yield _private("keys of the provider", settings.keys_folder)
    except SettingRefused:
        pass
    try:
        locker = found.locker_settings()
    except SettingRefused:
        return
    yield _private("keys of the locker", locker.keys_folder)
    yield _signing_of_locker(locker.keys_folder)
    if locker.master_pkcs11_module is not None:
        yield await _master_device(locker)
        yield await _opens(found)
        return
    try:
        FileMasterKey.load(master_file(locker))
    except FileNotFoundError:
        yield Finding(
            what="master key",
            ok=False,
            says="it is not there",
            do="restore it from its backup, or start the locker once on an empty database: it makes one",
        )
    except (OSError, MasterKeyFileRefused) as fault:
        yield Finding(what="master key", ok=False, says=str(fault), do="restore it, and its mode 0600")
    else:
        yield await _opens(found)


async def _signing_keys(settings: IdpSettings) -> AsyncIterator[Finding]:
    place, now = place_of(settings), dt.datetime.now(dt.UTC).timestamp()
    try:
        if isinstance(place, KeyDevice):
            yield await _device(place, settings)
        placed = await place.read()
        algorithms = key_set(placed, now=now).algorithms()
    except (OSError, ValueError, KeysMissing, Refusal) as fault:
        yield Finding(what="signing keys", ok=False, says=str(fault), do="restore them, or: khizana keys make")
        return
    finally:
        place.close()
    days = {
        alg: (now - max(one.activates_at for one in placed if one.alg == alg and one.activates_at <= now)) / 86_400
        for alg in algorithms
    }
    yield Finding(
        what="signing keys",
        ok=True,
        says=", ".join(f"{alg} for {age:.0f} days" for alg, age in days.items()) + f"; {len(placed)} published",
    )
    overdue = due(placed, lifetime_s=settings.signing_key_lifetime_s, now=now - ROTATION_LATE_S)
    if settings.signing_key_lifetime_s:
        yield Finding(
            what="rotation of the keys",
            ok=not overdue,
            says=f"overdue for {', '.join(overdue)}" if overdue else "in time",
            do="is the worker running, and may it write to the keys? by hand: khizana keys rotate",
        )


def _signing_of_locker(folder: Path) -> Finding:
    what, now = "signing keys of the locker", time.time()
    try:
        placed = list(read(folder, {}).values())
    except (OSError, ValueError) as fault:
        return Finding(what=what, ok=False, says=str(fault), do="restore them from the backup of the keys")
    signs = next((one for one in placed if one.signs_at(now)), None)
    if signs is None:
        return Finding(
            what=what,
            ok=not placed,
            says="none of them signs" if placed else "none yet: the locker makes one when it starts",
            do="copy the folder from the node where they were rotated, or: khizana keys rotate --of locker --at-once",
        )
    age = f", for {(now - signs.activates_at) / 86_400:.0f} days" if signs.activates_at else ""
    left = [one for one in placed if one.distrusted_from is not None and (folder / f"{one.name}.pem").exists()]
    return Finding(
        what=what,
        ok=not left,
        says=f"{len(left)} stolen ones have their private halves here"
        if left
        else f"{signs.key.kid} signs{age}; {len(placed)} known",
        do="khizana keys retire --of locker",
    )


async def _device(place: KeyDevice, settings: IdpSettings) -> Finding:
    what = f"signing device, token {settings.pkcs11_token}"
    started = time.monotonic()
    try:
        await place.check()
    except Refusal as refusal:
        return Finding(
            what=what,
            ok=False,
            says=type(refusal.__cause__ or refusal).__name__,
            do="is the device there, do module and label fit, is the PIN right and not locked?",
        )
    return Finding(what=what, ok=True, says=f"answers in {(time.monotonic() - started) * 1000:.0f} ms")


async def _master_device(settings: LockerSettings) -> Finding:
    what = f"master key device, token {settings.master_pkcs11_token}"
    masters, started = masters_of(settings), time.monotonic()
    try:
        await masters.newest()
    except Refusal as refusal:
        return Finding(
            what=what,
            ok=False,
            says=type(refusal.__cause__).__name__ if refusal.__cause__ else refusal.detail or refusal.title,
            do="is the device there, do module, label and PIN fit? the first key: khizana keys rotate-master",
        )
    finally:
        masters.close()
    return Finding(what=what, ok=True, says=f"answers in {(time.monotonic() - started) * 1000:.0f} ms")


def _private(what: str, folder: Path) -> Finding:
    open_files = (
        [path.name for path in (folder, *folder.glob("*")) if path.stat().st_mode & 0o077] if folder.exists() else []
    )
    if not folder.exists():
        return Finding(
            what=what, ok=False, says=f"{folder} is not there", do="khizana keys make, or restore the folder"
        )
    return Finding(
        what=what,
        ok=not open_files,
        says=f"others may read {', '.join(open_files[:5])}" if open_files else "readable by their owner alone",
        do=f"chmod -R go= {folder}",
    )


async def _opens(found: Deployment) -> Finding:
    settings = found.locker_settings()
    try:
        async with connected(settings.database_url) as db, opened_vault(db, settings) as vault:
            await vault.check()
    except Refusal as refusal:
        return Finding(what="master key", ok=False, says=refusal.detail or refusal.title, do="see the database above")
    except Exception as fault:
        return Finding(
            what="master key",
            ok=False,
            says=f"it does not open what is stored: {fault}",
            do="restore the master.key that belongs to this database",
        )
    return Finding(what="master key", ok=True, says="opens what is stored")


async def _objects(found: Deployment) -> AsyncIterator[Finding]:
    try:
        settings = found.locker_settings()
    except SettingRefused:
        return
    store = await S3BlobStore.connect(
        endpoint=settings.s3_endpoint,
        access_key=settings.s3_access_key,
        secret_key=settings.s3_secret_key,
        bucket=settings.s3_bucket,
        region=settings.s3_region,
        fsync_root=settings.s3_fsync_folder,
    )
    try:
        can = await store.probe()
    except Refusal as refusal:
        yield Finding(
            what="object store",
            ok=False,
            says=f"{_said_by(refusal)} at {settings.s3_endpoint}, bucket {settings.s3_bucket}",
            do=_AT_THE_STORE.get(_said_by(refusal), "is it running, and is anything before it in its way?"),
        )
    else:
        lacking = ", ".join(can.lacking)
        yield Finding(
            what="object store",
            ok=can.usable,
            says=f"put, get, list and delete work{f'; lacks {lacking}' if lacking else ''}"
            if can.usable
            else f"lacks {lacking}",
            do="this engine does not keep what it is given; choose another one",
        )
    finally:
        await store.close()


_AT_THE_STORE = {
    "AccessDenied": "may this key put, get, list and delete there? Are the clocks of both machines right?",
    "InvalidAccessKeyId": "the store does not know this key: KHIZANA_LOCKER_S3_ACCESS_KEY",
    "NoSuchBucket": "make the bucket, or name the one that holds the documents: KHIZANA_LOCKER_S3_BUCKET",
    "RequestTimeTooSkewed": "NTP on both machines: their clocks differ",
    "SignatureDoesNotMatch": "the store knows another secret of this key: KHIZANA_LOCKER_S3_SECRET_KEY",
}


def _said_by(refusal: Refusal) -> str:
    return (refusal.reason if isinstance(refusal, BlobStoreUnavailable) else "") or refusal.code


async def _scanner(found: Deployment) -> AsyncIterator[Finding]:
    try:
        settings = found.locker_settings()
    except SettingRefused:
        return
    scanner = open_scanner(settings)
    if scanner is None:
        yield Finding(what="scanner", ok=True, says="none is configured: nothing is scanned (KHIZANA_LOCKER_CLAMAV)")
        return
    try:
        name = await check_scanner(scanner)
    except ScannerAway:
        yield Finding(
            what="scanner",
            ok=False,
            says=f"no verdict from {settings.clamav}",
            do="is clamd running there, and may we reach it? What arrives meanwhile waits and is safe",
        )
        return
    yield Finding(
        what="scanner",
        ok=name is not None,
        says=f"finds the test file, as {name}" if name else "does not find the test file",
        do="freshclam: it has no signatures, or old ones",
    )
