"""A waiting service gets its answer: once, and from the citizen whom it asked."""

from uuid import UUID

from idp.backchannel import store
from kit.db import Tx

REMAINING_MIN_S = 60


async def approve(tx: Tx, auth_req_id_sha256: bytes, *, citizen_id: UUID) -> int | None:
    """For how many seconds the service may still come for its tokens; None unless it was waiting for this citizen."""
    remaining_s = await store.settle(tx, auth_req_id_sha256, citizen_id=citizen_id, state="approved")
    return None if remaining_s is None else max(remaining_s, REMAINING_MIN_S)


async def deny(tx: Tx, auth_req_id_sha256: bytes, *, citizen_id: UUID) -> bool:
    return await store.settle(tx, auth_req_id_sha256, citizen_id=citizen_id, state="denied") is not None
