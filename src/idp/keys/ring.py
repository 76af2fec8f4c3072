"""The signing keys on disk: ``<alg>-<activates_at>.pem``, so that a rotation is one new file.

A key is published from the moment its file appears and signs from ``activates_at`` (seconds since 1970) until the next
of its algorithm takes over; it stays published until it is retired, when the last token it signed has expired.
"""

import itertools
import time
from pathlib import Path

from kit.jose import ASYMMETRIC, Algorithm, KeySet, SigningKey

PUBLISHED_BEFORE_USE_S = 24 * 3_600
_REREAD_S = 30.0


class KeyRing:
    """Keys are parsed once; the folder is looked at again every half minute."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._parsed: dict[str, SigningKey] = {}
        self._looked_at = -_REREAD_S
        self._keys: KeySet | None = None
        self._next_activation: float = 0

    def current(self) -> KeySet:
        now = time.monotonic()
        if self._keys is None or now - self._looked_at > _REREAD_S:
            self._keys = self._read(time.time())
            self._looked_at = now
        return self._keys

    def _read(self, now: float) -> KeySet:
        active: list[tuple[float, SigningKey]] = []
        announced: list[SigningKey] = []
        for path in sorted(self._folder.glob("*-*.pem")):
            alg, activates_at = _parts(path)
            if path.name not in self._parsed:
                self._parsed[path.name] = SigningKey.load(path, alg)
            key = self._parsed[path.name]
            if activates_at <= now:
                active.append((activates_at, key))
            else:
                announced.append(key)
        active.sort(key=lambda pair: -pair[0])
        if not {"ES256", "RS256"} <= {key.alg for _, key in active}:
            raise FileNotFoundError(f"no active ES256 and RS256 signing key in {self._folder}")
        fresh = KeySet([key for _, key in active] + announced)
        if self._keys is not None and [key.kid for key in self._keys.keys] == [key.kid for key in fresh.keys]:
            return self._keys
        return fresh


def create(folder: Path, alg: Algorithm, *, activates_at: int = 0) -> Path:
    """Add a key. With the default it signs at once: for the first start and for an emergency."""
    path = folder / f"{alg}-{activates_at}.pem"
    SigningKey.load_or_create(path, alg)
    return path


def rotate(folder: Path, alg: Algorithm) -> Path:
    """Announce the next key: relying parties see it a day before it signs (provider.md, Client profiles)."""
    return create(folder, alg, activates_at=int(time.time()) + PUBLISHED_BEFORE_USE_S)


def retire(folder: Path, *, longest_token_lifetime_s: int) -> list[Path]:
    """Remove keys whose successor has signed for longer than any token lives; the files removed."""
    now = time.time()
    removed = []
    for alg in ASYMMETRIC:
        files = sorted(folder.glob(f"{alg}-*.pem"), key=lambda path: _parts(path)[1])
        for path, successor in itertools.pairwise(files):
            if _parts(successor)[1] + longest_token_lifetime_s < now:
                path.unlink()
                removed.append(path)
    return removed


def _parts(path: Path) -> tuple[Algorithm, int]:
    alg, activates_at = path.stem.split("-", 1)
    if alg not in ASYMMETRIC:
        raise ValueError(f"{path.name}: no such algorithm")
    return alg, int(activates_at)
