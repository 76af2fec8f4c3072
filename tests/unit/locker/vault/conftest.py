"""The vault over real servers: PostgreSQL, the embedded S3 server and a Ceph RGW."""

from collections.abc import AsyncIterator

import pytest

from kit.db import Database
from locker.vault import Vault
from locker.vault.blobs import S3BlobStore
from locker.vault.keys import FileMasterKey
from tests.unit.locker.vault.engines import Engine, named_ceph, started


@pytest.fixture(params=["embedded", pytest.param("ceph", marks=pytest.mark.ceph)])
def engine(request: pytest.FixtureRequest) -> Engine:
    if request.param == "ceph":
        return named_ceph() or started(request.getfixturevalue("ceph"))
    return started(request.getfixturevalue("s3"))


@pytest.fixture
async def blobs(engine: Engine) -> AsyncIterator[S3BlobStore]:
    store = await engine.connect()
    yield store
    await store.close()


@pytest.fixture(scope="session")
def master(tmp_path_factory: pytest.TempPathFactory) -> FileMasterKey:
    return FileMasterKey.load_or_create(tmp_path_factory.mktemp("master") / "master.key")


@pytest.fixture
def vault(locker_db: Database, master: FileMasterKey, blobs: S3BlobStore) -> Vault:
    return Vault(locker_db, master, blobs)
