"""A stream whose beginning is there."""

from collections.abc import AsyncIterator


async def begun(portions: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same portions; the first was fetched, so that what is away at the beginning is answered as any refusal is and
    not broken off behind a 200."""
    first = await anext(portions, b"")

    async def all_of_them() -> AsyncIterator[bytes]:
        yield first
        async for portion in portions:
            yield portion

    return all_of_them()
