import asyncio
import time
from collections.abc import AsyncIterator

from locker.deposits.refusals import TooSlow


async def patient(frames: AsyncIterator[bytes], *, frame_max_s: float, whole_max_s: float) -> AsyncIterator[bytes]:
    """The frames of a body whose reader has work between them. TooSlow: nothing came for so long, or it is too old."""
    until = time.monotonic() + whole_max_s
    while True:
        try:
            async with asyncio.timeout(min(frame_max_s, max(0.0, until - time.monotonic()))):
                frame = await anext(frames, None)
        except TimeoutError:
            raise TooSlow from None
        if frame is None:
            return
        yield frame
        # A body that is there already gives no chance to others by itself.
        await asyncio.sleep(0)
