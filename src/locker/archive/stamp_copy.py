"""Put an archive time stamp over a document: a worker parses it, an authority is asked, the room is filled."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from kit.workers import WorkerFailed
from locker.seals.collect import Collector
from locker.signatures.room import RoomTooSmall, fill_file
from locker.signatures.schema import Trust
from locker.signatures.seal_request import Room
from locker.signatures.seal_workers import SealWorkers
from locker.signatures.time_stamp_client import TimeStampClient

_RESERVED_BYTES = 12 * 1024
_FIELD = "ArchiveTimeStamp"


class NotArchivable(Exception):
    """A worker could not prepare it: ``reason`` is of ``kit.workers``."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, kw_only=True)
class Stamping:
    workers: SealWorkers
    client: TimeStampClient
    collector: Collector


async def stamp_copy(stamping: Stamping, source: Path, target: Path, *, trust: Trust, digest_algorithm: str) -> bytes:
    """Write ``target``: ``source``, then its validation data, then a time stamp over all of it. Gives the token.

    The bytes of ``source`` stay as they are. Raises TimeStampAuthorityAway, NotArchivable.
    """
    try:
        evidence = await stamping.workers.find_evidence(source, trust=trust)
        data = await stamping.collector.collect_what_there_is(evidence)
        reserved_bytes = _RESERVED_BYTES
        for _ in range(2):
            room = await stamping.workers.later(
                source,
                target,
                data=data,
                reserved_bytes=reserved_bytes,
                field_prefix=_FIELD,
                digest_algorithm=digest_algorithm,
            )
            assert isinstance(room, Room)
            token = await stamping.client.token(room.digest, digest_algorithm)
            try:
                await asyncio.to_thread(fill_file, target, room, token)
            except RoomTooSmall:
                # An authority with a long chain: its next token is about as long.
                reserved_bytes = len(token) + 1024
                continue
            return token
    except WorkerFailed as failure:
        raise NotArchivable(failure.reason) from None
    raise NotArchivable("the authority's tokens grow")
