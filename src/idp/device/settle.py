"""A waiting device gets its answer: once, from whoever answers first."""

from idp.device import store
from kit.db import Tx

REMAINING_MIN_S = 60


async def approve(tx: Tx, device_code_sha256: bytes) -> int | None:
    """For how many seconds the device may still come for its tokens; None unless it was waiting."""
    remaining_s = await store.approve(tx, device_code_sha256)
    # Who allowed it in the last second should not have done so for nothing.
    return None if remaining_s is None else max(remaining_s, REMAINING_MIN_S)


async def deny(tx: Tx, device_code_sha256: bytes) -> bool:
    return await store.deny(tx, device_code_sha256)
