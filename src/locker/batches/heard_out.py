import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from kit.errors import BodyCutShort, Refusal


@asynccontextmanager
async def heard_out(frames: AsyncIterator[bytes], *, bytes_max: int, wait_max_s: float) -> AsyncIterator[None]:
    """What was not wanted of a body is read on and thrown away before its answer goes out, so far and so long.

    Programs read no answer before they have sent everything, and a connection that is closed over what they send takes
    the answer along: they would see it break off, never learn why, and send the same again.
    """
    try:
        yield
    except Refusal:
        await _read_on(frames, bytes_max, wait_max_s)
        raise
    await _read_on(frames, bytes_max, wait_max_s)


async def _read_on(frames: AsyncIterator[bytes], bytes_max: int, wait_max_s: float) -> None:
    with suppress(BodyCutShort, TimeoutError):
        async with asyncio.timeout(wait_max_s):
            async for frame in frames:
                bytes_max -= len(frame)
                if bytes_max < 0:
                    return
