"""Where this deployment keeps its master keys, and what an officer does with them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from locker.settings import LockerSettings
from locker.vault.device import MasterKeyDevice
from locker.vault.keys import FileMasterKey, MasterKeys, replace_file


def master_file(settings: LockerSettings) -> Path:
    return settings.keys_folder / "master.key"


def masters_of(settings: LockerSettings) -> MasterKeys:
    if settings.master_pkcs11_module is None:
        return FileMasterKey.load_or_create(master_file(settings))
    assert settings.master_pkcs11_token is not None
    assert settings.master_pkcs11_pin is not None
    return MasterKeyDevice(
        settings.master_pkcs11_module,
        token=settings.master_pkcs11_token,
        pin=settings.master_pkcs11_pin,
        former_file=master_file(settings),
    )


async def make_next(settings: LockerSettings, masters: MasterKeys) -> str:
    """A new master key, the newest from now on; the one before it stays, because epoch keys and backups need it."""
    if isinstance(masters, MasterKeyDevice):
        return await masters.make()
    return replace_file(master_file(settings)).id


async def retire(settings: LockerSettings, masters: MasterKeys, *, needed: set[str]) -> list[str]:
    """Destroy former master keys that no epoch key needs, once the last backup of their time is gone too."""
    kept = timedelta(days=settings.backup_retention_days)
    gone = await masters.retire(needed=needed, kept=kept) if isinstance(masters, MasterKeyDevice) else []
    newest = await masters.newest()
    for file in sorted(settings.keys_folder.glob("master-*.key")):
        id_ = file.stem.removeprefix("master-")
        # A file that was renamed, as on the way into a device, has the mtime of the day on which it was made.
        changed_s = max(file.stat().st_mtime, file.stat().st_ctime)
        former_since = datetime.fromtimestamp(changed_s, UTC)
        if id_ not in needed | {newest.id} and former_since <= datetime.now(UTC) - kept:
            file.unlink()
            gone.append(id_)
    return gone
