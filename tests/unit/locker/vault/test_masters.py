"""Master keys in a file and in a PKCS#11 token (SoftHSM): replaced, retired, away; a rewrap that is killed."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pkcs11
import pytest
import pytest_asyncio

from kit.audit import Audit
from kit.db import Database
from kit.errors import Unavailable
from locker.settings import LockerSettings
from locker.vault.device import MasterKeyDevice
from locker.vault.keys import FileMasterKey, KeyNotAuthentic, Keys, MasterKeys, replace_file
from locker.vault.masters import make_next, masters_of, retire
from locker.vault.refusals import Erased
from locker.vault.rewrap_all import rewrap_all
from tests.conftest import ROOT
from tests.softhsm import LABEL, PIN, Token, make_token
from tests.unit.locker.vault.test_vault_keys import new_key, older_citizen, same_key

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Token]:
    made = make_token(tmp_path_factory.mktemp("softhsm"))
    yield made
    pkcs11.unload(str(made.module))


@pytest_asyncio.fixture(loop_scope="module")
async def db(new_database: Any) -> AsyncIterator[Database]:
    """Its own: what every epoch stands under is looked at."""
    opened = await Database.connect(new_database().locker)
    yield opened
    await opened.close()


@pytest.fixture(params=["file", "device"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> LockerSettings:
    device: dict[str, Any] = {}
    if request.param == "device":
        device = {f"master_{name}": value for name, value in request.getfixturevalue("token").settings.items()}
    return LockerSettings(
        issuer="http://localhost/idp", locker_url="http://localhost", database_url="", secret="00" * 32,
        keys_folder=tmp_path, s3_endpoint="", s3_access_key="", s3_secret_key="", **device,
    )  # fmt: skip


@pytest_asyncio.fixture(loop_scope="module")
async def masters(settings: LockerSettings) -> AsyncIterator[MasterKeys]:
    opened = masters_of(settings)
    if settings.master_pkcs11_module:
        await make_next(settings, opened)
    yield opened
    opened.close()


async def test_a_new_master_key_takes_all_over_and_nothing_is_read_otherwise(
    db: Database, settings: LockerSettings, masters: MasterKeys
) -> None:
    keys = Keys(db, masters)
    key, wrapped, _ = await new_key(keys, "one")
    former = (await masters.newest()).id
    fresh = await make_next(settings, masters)
    # Before anything moved, and after.
    assert await same_key(Keys(db, masters), wrapped, "one") == key
    assert await keys.masters_needed() == {former}
    done = await rewrap_all(keys, Audit("locker"), db, officer="test")
    assert (len(done.epochs), await keys.masters_needed()) == (1, {fresh})
    # A process that started with the former one finds the newest.
    assert await same_key(Keys(db, masters), wrapped, "one") == key
    assert (await rewrap_all(keys, Audit("locker"), db, officer="test")).epochs == []
    assert await retire(settings, masters, needed=await keys.masters_needed()) == []
    assert await masters.named(former) is not None


async def test_a_former_master_key_goes_when_neither_epoch_nor_backup_needs_it(
    db: Database, settings: LockerSettings, masters: MasterKeys, token: Token
) -> None:
    keys = Keys(db, masters)
    _, wrapped, epoch = await new_key(keys, "one")
    backup = await db.fetchrow("SELECT master_id, wrapped_key FROM locker.epoch_key WHERE epoch = $1", epoch)
    assert backup is not None
    former = await masters.named(backup["master_id"])
    assert former is not None
    await make_next(settings, masters)
    soon = msgspec.structs.replace(settings, backup_retention_days=0)
    assert former.id not in await retire(soon, masters, needed=await keys.masters_needed())
    await rewrap_all(keys, Audit("locker"), db, officer="test")
    assert former.id in await retire(soon, masters, needed=await keys.masters_needed())
    assert await same_key(Keys(db, masters), wrapped, "one")
    # What an old backup holds is opened by nothing any more.
    again = await masters.named(former.id)
    if again is not None:
        with pytest.raises(KeyNotAuthentic):
            await again.unwrap(backup["wrapped_key"], b"")


async def test_epochs_of_a_file_move_into_a_device(db: Database, tmp_path: Path, token: Token) -> None:
    before = FileMasterKey.load_or_create(tmp_path / "master.key")
    key, wrapped, _ = await new_key(Keys(db, before), "one")
    device = MasterKeyDevice(token.module, token=LABEL, pin=PIN, former_file=tmp_path / "master.key")
    try:
        await device.make()
        # The file is a former master key now, under the name that former ones have.
        (tmp_path / "master.key").rename(tmp_path / f"master-{before.id}.key")
        keys = Keys(db, device)
        assert await same_key(keys, wrapped, "one") == key
        await rewrap_all(keys, Audit("locker"), db, officer="test")
        assert await keys.masters_needed() == {(await device.newest()).id}
        assert await same_key(Keys(db, device), wrapped, "one") == key
    finally:
        device.close()


async def test_a_file_that_was_renamed_is_no_older_than_that(settings: LockerSettings, masters: MasterKeys) -> None:
    """On the way into a device the file of years gets the name of a former one: its backups are of yesterday."""
    former = settings.keys_folder / "master-00112233aabbccdd.key"
    former.with_name("master.old").write_bytes(bytes(32))
    os.utime(former.with_name("master.old"), (0, 0))
    former.with_name("master.old").rename(former)
    assert await retire(settings, masters, needed=set()) == []
    assert former.exists()


async def test_the_master_key_never_leaves_the_device(token: Token, tmp_path: Path) -> None:
    device = MasterKeyDevice(token.module, token=LABEL, pin=PIN, former_file=tmp_path / "master.key")
    await device.make()
    wrapped = await (await device.newest()).wrap(bytes(32), b"for this")
    assert len(wrapped) == 61
    with pytest.raises(KeyNotAuthentic):
        await (await device.newest()).unwrap(wrapped, b"for that")
    with pytest.raises(KeyNotAuthentic):
        await (await device.newest()).unwrap(wrapped[:-1] + bytes([wrapped[-1] ^ 1]), b"for this")
    assert await (await device.newest()).unwrap(wrapped, b"for this") == bytes(32)

    def look() -> None:
        session = pkcs11.lib(str(token.module)).get_token(token_label=LABEL).open()
        secrets = list(session.get_objects({pkcs11.Attribute.CLASS: pkcs11.ObjectClass.SECRET_KEY}))
        assert secrets
        for key in secrets:
            assert key[pkcs11.Attribute.EXTRACTABLE] is False
            assert key[pkcs11.Attribute.SENSITIVE] is True
            assert key[pkcs11.Attribute.WRAP] is False
            with pytest.raises(pkcs11.AttributeSensitive):
                key[pkcs11.Attribute.VALUE]
        session.close()

    await device.run(look)
    device.close()


async def test_f_29_a_device_that_is_away_opens_nothing_beyond_what_is_remembered_and_comes_back(
    db: Database, token: Token, tmp_path: Path
) -> None:
    device = MasterKeyDevice(token.module, token=LABEL, pin=PIN, former_file=tmp_path / "master.key")
    await device.make()
    keys = Keys(db, device, remembered_s=0.6)
    key, wrapped, _ = await new_key(keys, "one")
    began = asyncio.get_running_loop().time()
    token.go_away()
    try:
        assert await same_key(keys, wrapped, "one") == key
        # A citizen key that is unwrapped late lives no longer than the epoch key that opened it.
        keys._citizens._entries.clear()
        while asyncio.get_running_loop().time() < began + 0.5:
            assert await same_key(keys, wrapped, "one") == key
            await asyncio.sleep(0.05)
        await asyncio.sleep(began + 0.65 - asyncio.get_running_loop().time())
        answers = await asyncio.gather(*(same_key(keys, wrapped, "one") for _ in range(100)), return_exceptions=True)
        assert {type(each) for each in answers} == {Unavailable}
        with pytest.raises(Unavailable):
            await new_key(keys, "one")
    finally:
        token.come_back()
    assert await same_key(keys, wrapped, "one") == key
    device.close()


async def test_a_rewrap_killed_in_the_middle_loses_nothing_beside_writers_and_another(
    new_database: Any, tmp_path: Path
) -> None:
    dsn = new_database().locker
    db = await Database.connect(dsn)
    master = FileMasterKey.load_or_create(tmp_path / "master.key")
    keys = Keys(db, master)
    owners = [f"citizen-{number}" for number in range(60)]
    for owner in owners:
        await older_citizen(db, master, owner, "2020-01")
    made = {owner: await new_key(keys, owner) for owner in owners}
    program = f"""
import asyncio
from pathlib import Path
from kit.db import Database
from locker.vault.keys import FileMasterKey, Keys
async def main():
    keys = Keys(await Database.connect({dsn!r}), FileMasterKey.load(Path({str(tmp_path / "master.key")!r})))
    while (await keys.rewrap(batch_max=1)).last:
        print("moved", flush=True)
asyncio.run(main())
"""
    for _ in range(2):
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, cwd=ROOT / "src", stdout=asyncio.subprocess.PIPE
        )
        assert child.stdout is not None
        for _ in range(5):
            assert await child.stdout.readline() == b"moved\n"
        child.send_signal(signal.SIGKILL)
        await child.wait()
    left = await keys.count_behind()
    assert 0 < left <= 50
    writing = [new_key(keys, f"{owners[number]}", f"D{number}") for number in range(60)]
    rewraps = [rewrap_all(Keys(db, master), Audit("locker"), db, officer="test", batch_max=7) for _ in range(2)]
    first, second, _, *written = await asyncio.gather(*rewraps, keys.destroy(db, owners[-1]), *writing[:-1])
    writing[-1].close()
    assert await keys.count_behind() == 0
    assert left - 1 <= first.citizen_keys + second.citizen_keys <= left
    # The last of the two that came to an end found the old month without a key under it.
    assert ["2020-01"] in (first.destroyed, second.destroyed)
    reader = Keys(db, master)
    for owner in owners[:-1]:
        key, wrapped, _ = made[owner]
        assert await same_key(reader, wrapped, owner) == key
    for number, (key, wrapped, _) in enumerate(written):
        assert await same_key(reader, wrapped, owners[number], f"D{number}") == key
    with pytest.raises(Erased):
        await same_key(reader, made[owners[-1]][1], owners[-1])
    await db.close()


async def test_a_reader_beside_a_rewrap_and_the_end_of_an_epoch_still_reads(db: Database, tmp_path: Path) -> None:
    master = FileMasterKey.load_or_create(tmp_path / "master.key")
    owner = f"sub-{uuid4()}"
    await older_citizen(db, master, owner, "2020-02")
    key, wrapped, _ = await new_key(Keys(db, master), owner)
    reader = Keys(db, master)
    row = await db.fetchrow("SELECT epoch, wrapped_key FROM locker.citizen_key WHERE owner = $1", owner)
    assert row is not None
    await rewrap_all(Keys(db, master), Audit("locker"), db, officer="test")
    # It read the row before, and asks for the epoch after.
    await reader._unwrap_citizen(owner, row["epoch"], row["wrapped_key"])
    assert await same_key(reader, wrapped, owner) == key


async def test_two_officers_at_once_lose_no_master_key(tmp_path: Path) -> None:
    first = FileMasterKey.load_or_create(tmp_path / "master.key")
    made = await asyncio.gather(*(asyncio.to_thread(replace_file, tmp_path / "master.key") for _ in range(4)))
    newest = await first.newest()
    assert newest.id in {each.id for each in made}
    for each in (first, *made):
        assert await first.named(each.id) is not None, "each is still there"
    for file in tmp_path.glob("*.key"):
        assert os.stat(file).st_mode & 0o077 == 0
