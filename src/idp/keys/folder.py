"""Signing keys as files ``ALG-activates_at.pem``, mode 0600, so that a rotation is one new file.

Several nodes may share the folder: a file appears whole or not at all.
"""

import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from idp.keys.ring import Placed
from kit.jose import ASYMMETRIC, Algorithm, SigningKey
from kit.offload import Offload


class KeyFolder:
    fresh = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._parsed: dict[str, Placed] = {}
        self._offload = Offload("keys", threads=1, waiting_max=16)

    async def read(self) -> Sequence[Placed]:
        return await self._offload.run(self._read)

    async def create(self, alg: Algorithm, *, activates_at: int) -> str:
        return (await self._offload.run(create, self._folder, alg, activates_at=activates_at)).stem

    async def remove(self, placed: Placed) -> None:
        await self._offload.run(remove, self._folder, placed.name)

    def close(self) -> None:
        self._offload.close()

    def _read(self) -> Sequence[Placed]:
        found = {}
        for path, alg, activates_at in _files(self._folder):
            # Parsing an RSA key costs more than signing with it.
            known = self._parsed.get(path.stem)
            found[path.stem] = known or Placed(path.stem, alg, activates_at, SigningKey.load(path, alg))
        self._parsed = found
        return list(found.values())


def create(folder: Path, alg: Algorithm, *, activates_at: int = 0) -> Path:
    """Add a key file; the one that is there stays."""
    path = folder / f"{alg}-{activates_at}.pem"
    SigningKey.load_or_create(path, alg)
    return path


def create_missing(folder: Path, algorithms: Sequence[Algorithm]) -> list[Path]:
    """A first key of each algorithm that has none; it signs from now on. At once, because two of them are RSA keys."""
    lacking = [alg for alg in algorithms if alg not in algorithms_in(folder)]
    now = int(time.time())
    with ThreadPoolExecutor(len(ASYMMETRIC)) as pool:
        return list(pool.map(lambda alg: create(folder, alg, activates_at=now), lacking))


def remove(folder: Path, name: str) -> None:
    (folder / f"{name}.pem").unlink(missing_ok=True)


def algorithms_in(folder: Path) -> set[Algorithm]:
    return {alg for _, alg, _ in _files(folder)}


def _files(folder: Path) -> Iterator[tuple[Path, Algorithm, int]]:
    """A file of another name is refused: a key that nobody uses is a mistake somebody should see."""
    names = sorted(name for name in os.listdir(folder) if name.endswith(".pem")) if folder.is_dir() else []
    for name in names:
        alg, _, activates_at = name.removesuffix(".pem").partition("-")
        if alg not in ASYMMETRIC or not activates_at.isdigit():
            raise ValueError(f"{name}: a signing key is named ALG-activates_at.pem")
        yield folder / name, alg, int(activates_at)
