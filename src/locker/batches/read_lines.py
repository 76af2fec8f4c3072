from collections.abc import AsyncIterator

from locker.batches.refusals import ManifestTooLarge


async def read_lines(
    frames: AsyncIterator[bytes], *, line_max_bytes: int, total_max_bytes: int
) -> AsyncIterator[bytes | None]:
    """The lines of NDJSON as they arrive, empty ones left out; None stands for one that is longer than it may be.

    Memory stays at a frame and a line. Raises ManifestTooLarge.
    """
    total, rest, too_long = 0, b"", False
    async for frame in frames:
        total += len(frame)
        if total > total_max_bytes:
            raise ManifestTooLarge(f"at most {total_max_bytes} bytes", members={"max_bytes": total_max_bytes})
        *whole, rest = (rest + frame).split(b"\n")
        for line in whole:
            if too_long or len(line) > line_max_bytes:
                yield None
                too_long = False
            elif line.strip():
                yield line
        if len(rest) > line_max_bytes:
            rest, too_long = b"", True
    if too_long or len(rest) > line_max_bytes:
        yield None
    elif rest.strip():
        yield rest
