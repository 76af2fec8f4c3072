"""Put an archive time stamp over a document: a worker parses it, an authority is asked, the room is filled."""

import asyncio
from pathlib import Path

import msgspec

from kit.workers import WorkerFailed, WorkerPool
from locker.signatures.archive_request import Request
from locker.signatures.room import RoomTooSmall, fill_file
from locker.signatures.schema import Trust
from locker.signatures.seal_request import Room
from locker.signatures.time_stamp_client import TimeStampClient

_MIB = 1024 * 1024
_RESERVED_BYTES = 12 * 1024
_GROWTH_MAX_BYTES = 32 * _MIB


def archive_workers(*, size_max_bytes: int, workers: int = 1, waiting_max: int = 8) -> WorkerPool:
    return WorkerPool(
        "archive",
        target="locker.signatures.archive_worker:prepare",
        workers=workers,
        waiting_max=waiting_max,
        address_space_bytes=1024 * _MIB,
        cpu_s=20,
        wall_s=60.0,
        jobs_max=500,
        file_max_bytes=size_max_bytes + _GROWTH_MAX_BYTES,
    )


class NotArchivable(Exception):
    """A worker could not prepare it: ``reason`` is of ``kit.workers``."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ArchiveTimeStamper:
    """Both parts are closed by who made them."""

    def __init__(self, pool: WorkerPool, client: TimeStampClient) -> None:
        self._pool = pool
        self.client = client

    async def stamp(self, source: Path, target: Path, *, trust: Trust, digest_algorithm: str) -> bytes:
        """Write ``target``: ``source``, then its validation data, then a time stamp over all of it. Gives the token.

        The bytes of ``source`` stay as they are. Raises TimeStampAuthorityAway, NotArchivable.
        """
        reserved_bytes = _RESERVED_BYTES
        for _ in range(2):
            room = await self._prepare(source, target, trust, reserved_bytes, digest_algorithm)
            token = await self.client.token(room.digest, digest_algorithm)
            try:
                await asyncio.to_thread(fill_file, target, room, token)
            except RoomTooSmall:
                # An authority with a long chain: its next token is about as long.
                reserved_bytes = len(token) + 1024
                continue
            return token
        raise NotArchivable("the authority's tokens grow")

    async def _prepare(
        self, source: Path, target: Path, trust: Trust, reserved_bytes: int, digest_algorithm: str
    ) -> Room:
        request = Request(
            source=str(source.absolute()),
            target=str(target.absolute()),
            trust=msgspec.msgpack.encode(trust),
            reserved_bytes=reserved_bytes,
            digest_algorithm=digest_algorithm,
        )
        try:
            answer = await self._pool.run(msgspec.msgpack.encode(request))
        except WorkerFailed as failure:
            raise NotArchivable(failure.reason) from None
        return msgspec.msgpack.decode(answer, type=Room)
