"""From one level to the next: a time stamp, then validation data that is newer than it, then an archive time stamp."""

import asyncio
from pathlib import Path

import msgspec

from locker.seals.desk import SealDesk
from locker.seals.schema import LEVELS, Level
from locker.signatures.room import RoomTooSmall, fill_file
from locker.signatures.schema import Trust
from locker.signatures.seal_request import Room
from locker.signatures.time_stamp_client import TimeStampAuthorityAway


class Raised(msgspec.Struct, frozen=True, kw_only=True):
    path: Path
    level: Level

    def reaches(self, wanted: Level) -> bool:
        return LEVELS.index(self.level) >= LEVELS.index(wanted)


async def raise_level(desk: SealDesk, path: Path, *, level: Level, wanted: Level, trust: Trust) -> Raised:
    """As far towards ``wanted`` as goes now; each level is a file of its own beside ``path``.

    It stops without a word where no time-stamp authority answers, or the status of a certificate is not known.
    """
    reached = Raised(path=path, level=level)
    try:
        if level == "B-B" and wanted != "B-B":
            reached = Raised(path=await _time_stamped(desk, path, "TimeStamp", trust), level="B-T")
        if reached.level == "B-T" and LEVELS.index(wanted) >= LEVELS.index("B-LT"):
            data = await desk.collector.collect(await desk.workers.find_evidence(reached.path, trust=trust))
            if data is None:
                return reached
            into = reached.path.with_suffix(".lt")
            await desk.workers.later(reached.path, into, data=data)
            reached = Raised(path=into, level="B-LT")
        if reached.level == "B-LT" and wanted == "B-LTA":
            reached = Raised(path=await _time_stamped(desk, reached.path, "Archive", trust), level="B-LTA")
    except TimeStampAuthorityAway:
        pass
    return reached


async def _time_stamped(desk: SealDesk, path: Path, field_prefix: str, trust: Trust) -> Path:
    into = path.with_suffix(f".{field_prefix}")
    for _ in range(2):
        room = await desk.workers.later(
            path, into, reserved_bytes=desk.authorities.reserved_bytes, field_prefix=field_prefix
        )
        assert isinstance(room, Room)
        token = await desk.authorities.token(room.digest, trust=trust)
        try:
            await asyncio.to_thread(fill_file, into, room, token)
        except RoomTooSmall:
            # Now its size is known.
            continue
        return into
    raise TimeStampAuthorityAway
