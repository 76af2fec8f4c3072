"""One key after another without anybody meeting an unknown one: announced a day before it signs, published for ever.

What is signed is filed for years, so nothing is removed but private halves. All of it blocks: for a command.
"""

import time
from pathlib import Path

from locker.signing import folder as files
from locker.signing.folder import Placed
from locker.signing.refusals import KeyUnknown, RotationUnderWay

PUBLISHED_BEFORE_USE_S = 24 * 3_600
STILL_SIGNS_S = 3_600
"""After a successor took over: processes learn it within half a minute, other nodes by their own clocks."""


def make(folder: Path) -> list[str]:
    """The first key of a deployment; it signs at once. What is there stays."""
    with files.alone(folder):
        before = files.read(folder, {})
        files.create_first(folder)
        return [name for name in files.read(folder, {}) if name not in before]


def announce(folder: Path) -> list[str]:
    """The next key. RotationUnderWay where one is announced already: two at once would leave one unused."""
    now = time.time()
    with files.alone(folder):
        if any(_is_announced(one, now) for one in files.read(folder, {}).values()):
            raise RotationUnderWay
        return [files.create(folder, activates_at=int(now) + PUBLISHED_BEFORE_USE_S)]


def replace(folder: Path) -> list[str]:
    """After a theft: a key that signs from now on. Who caches our keys meets it on an unknown ``kid``."""
    activates_at = int(time.time())
    with files.alone(folder):
        taken = {one.activates_at for one in files.read(folder, {}).values()}
        while activates_at in taken:
            activates_at += 1
        return [files.create(folder, activates_at=activates_at)]


def retire(folder: Path) -> list[str]:
    """Destroy the private halves of keys whose successor has signed for an hour, and of those that are not believed."""
    now = time.time()
    with files.alone(folder):
        placed = list(files.read(folder, {}).values())
        late = max((one.activates_at for one in placed if one.signs_at(now - STILL_SIGNS_S)), default=0)
        over = [
            one
            for one in placed
            if (folder / f"{one.name}.pem").exists() and (one.activates_at < late or one.distrusted_from is not None)
        ]
        for one in over:
            files.destroy_private(folder, one)
        return [one.name for one in over]


def withdraw(folder: Path, kid: str, *, since: int) -> list[str]:
    """After a theft: what the key signed is not believed from now on, in every process within half a minute; what the
    log proves to be from before ``since`` still is.

    Not the last one that signs. Killed anywhere, to be said again.
    """
    now = time.time()
    with files.alone(folder):
        placed = list(files.read(folder, {}).values())
        for one in placed:
            if one.key.kid == kid:
                if not any(other.signs_at(now) for other in placed if other is not one):
                    raise RotationUnderWay("make its successor first: khizana keys rotate --of locker --at-once")
                files.distrust(folder, one, since=since)
                return [one.name]
    raise KeyUnknown


def _is_announced(placed: Placed, now: float) -> bool:
    return placed.activates_at > now and placed.distrusted_from is None
