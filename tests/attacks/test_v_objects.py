"""Attack rows V-15 and V-19: somebody changes the object store, or the rows that point into it."""

import logging
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from kit.db import Database
from locker.vault import BlobDamaged, Stored, Vault, new_object_key
from locker.vault.blobs import S3BlobStore
from locker.vault.keys import FileMasterKey


@dataclass(frozen=True)
class Sealed:
    stored: Stored
    owner: str
    document_id: str
    version: int
    content: bytes


@pytest.fixture
async def vault(s3: Any, locker_db: Database, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Vault]:
    blobs = await S3BlobStore.connect(
        endpoint=s3.endpoint,
        access_key=s3.access_key,
        secret_key=s3.secret_key,
        bucket=s3.bucket,
        fsync_root=s3.bucket_folder,
    )
    master = FileMasterKey.load_or_create(tmp_path_factory.getbasetemp() / "attacks-master.key")
    yield Vault(locker_db, master, blobs)
    await blobs.close()


async def sealed(vault: Vault, owner: str = "alice", document_id: str = "D1", version: int = 1) -> Sealed:
    content = os.urandom(200_000)

    async def frames() -> AsyncIterator[bytes]:
        yield content

    stored = await vault.put(
        owner=owner,
        document_id=document_id,
        version=version,
        object_key=new_object_key(),
        frames=frames(),
        length=len(content),
    )
    return Sealed(stored, owner, document_id, version, content)


async def read(vault: Vault, document: Sealed, stored: Stored | None = None) -> bytes:
    opened = await vault.open(
        stored or document.stored,
        owner=document.owner,
        document_id=document.document_id,
        version=document.version,
    )
    return b"".join([frame async for frame in opened])


async def ciphertext(vault: Vault, document: Sealed) -> bytes:
    return (await vault.blobs.get(document.stored.object_key, start=0, length=10**6)).data


async def replace(vault: Vault, document: Sealed, changed: bytes) -> None:
    """As somebody with the store's own key would."""

    async def body() -> AsyncIterator[bytes]:
        yield changed

    await vault.blobs.put(document.stored.object_key, body, len(changed), repeatable=True)


PLACES = [0, 5, 35, 40, 65_535, 65_536, 131_072, -1]


@pytest.mark.parametrize("place", PLACES)
async def test_v_15_one_flipped_bit_in_the_object(vault: Vault, place: int, caplog: pytest.LogCaptureFixture) -> None:
    document = await sealed(vault)
    changed = bytearray(await ciphertext(vault, document))
    changed[place] ^= 1
    await replace(vault, document, bytes(changed))
    with pytest.raises(BlobDamaged) as refused:
        await read(vault, document)
    assert refused.value.status == 502
    assert [record.levelno for record in caplog.records if record.name == "locker.vault"] == [logging.CRITICAL]


async def test_v_15_one_flipped_bit_on_the_disk_of_the_embedded_engine(vault: Vault, s3: Any) -> None:
    document = await sealed(vault)
    file = s3.bucket_folder / document.stored.object_key
    changed = bytearray(file.read_bytes())
    changed[70_000] ^= 1
    file.write_bytes(changed)
    with pytest.raises(BlobDamaged):
        await read(vault, document)


@pytest.mark.parametrize("how", ["cut", "longer", "emptied", "segments swapped", "another object", "removed"])
async def test_v_15_the_object_is_replaced_as_a_whole(vault: Vault, how: str) -> None:
    document, other = await sealed(vault), await sealed(vault, document_id="D2")
    content = await ciphertext(vault, document)
    changed = {
        "cut": content[:131_072],
        "longer": content + bytes(16),
        "emptied": b"",
        "segments swapped": content[:65_536] + content[131_072:196_608] + content[65_536:131_072] + content[196_608:],
        "another object": await ciphertext(vault, other),
    }
    if how == "removed":
        await vault.blobs.delete(document.stored.object_key)
    else:
        await replace(vault, document, changed[how])
    with pytest.raises(BlobDamaged) as refused:
        await read(vault, document)
    assert refused.value.status == 502


async def test_v_19_a_row_that_points_to_another_object(vault: Vault) -> None:
    document, other = await sealed(vault), await sealed(vault, document_id="D2")
    with pytest.raises(BlobDamaged):
        await read(vault, document, msgspec.structs.replace(document.stored, object_key=other.stored.object_key))


@pytest.mark.parametrize(
    ("owner", "document_id", "version"),
    [("mallory", "D1", 1), ("alice", "D2", 1), ("alice", "D1", 2)],
    ids=["of another citizen", "of another document", "of another version"],
)
async def test_v_19_a_row_that_takes_object_and_key_of_another(
    vault: Vault, owner: str, document_id: str, version: int
) -> None:
    """The whole of the victim's row is copied into the attacker's own: object, wrapped key, digests, length."""
    victim = await sealed(vault)
    attacker = await sealed(vault, owner, document_id, version)
    with pytest.raises(BlobDamaged):
        await read(vault, attacker, victim.stored)
    assert await read(vault, victim) == victim.content


async def test_v_19_a_row_that_moves_to_another_citizen_key(vault: Vault, owner_db: Database) -> None:
    """Copying the victim's citizen key beside the document does not help: it is bound to its owner."""
    victim = await sealed(vault, owner="victim-1")
    attacker = await sealed(vault, owner="mallory-1", document_id=victim.document_id)
    await owner_db.execute(
        """UPDATE locker.citizen_key SET wrapped_key = (SELECT wrapped_key FROM locker.citizen_key WHERE owner = $1)
            WHERE owner = $2""",
        "victim-1",
        "mallory-1",
    )
    restarted = Vault(vault.keys._db, vault.keys._masters, vault.blobs)
    with pytest.raises(BlobDamaged):
        await read(restarted, attacker, victim.stored)


@pytest.mark.parametrize("length", [0, 100_000, 199_999, 200_001, 10**9])
async def test_v_19_a_row_with_another_length(vault: Vault, length: int) -> None:
    document = await sealed(vault)
    with pytest.raises(BlobDamaged):
        await read(vault, document, msgspec.structs.replace(document.stored, length=length))
