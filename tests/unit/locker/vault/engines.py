"""Which object store the vault's tests run on."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from locker.vault.blobs import S3BlobStore


@dataclass(frozen=True)
class Engine:
    endpoint: str
    access_key: str
    secret_key: str
    bucket: str
    folder: Path | None
    """Where the embedded engine keeps the bucket."""

    async def connect(self, **other: Any) -> S3BlobStore:
        return await S3BlobStore.connect(
            endpoint=other.pop("endpoint", self.endpoint),
            access_key=self.access_key,
            secret_key=self.secret_key,
            bucket=self.bucket,
            fsync_root=self.folder,
            **other,
        )


def started(s3: Any) -> Engine:
    return Engine(s3.endpoint, s3.access_key, s3.secret_key, s3.bucket, s3.bucket_folder)


def named_ceph() -> Engine | None:
    """A gateway that stands elsewhere, with a bucket that tests may fill."""
    endpoint = os.environ.get("KHIZANA_TEST_CEPH_ENDPOINT")
    if not endpoint:
        return None
    named = {name: os.environ[f"KHIZANA_TEST_CEPH_{name}"] for name in ("ACCESS_KEY", "SECRET_KEY", "BUCKET")}
    return Engine(endpoint, named["ACCESS_KEY"], named["SECRET_KEY"], named["BUCKET"], None)
