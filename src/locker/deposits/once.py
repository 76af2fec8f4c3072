import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from kit.db import Database, Tx
from kit.errors import Unavailable
from kit.ids import new_id
from locker.deposits import store
from locker.deposits.refusals import DepositOvertaken, IdempotencyKeyInFlight, IdempotencyKeyReused

T = TypeVar("T")


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds an Idempotency-Key."""

    client_id: str
    key: str
    attempt: UUID

    async def answer(self, tx: Tx, answer: Any) -> None:
        """In the transaction that it answers for. DepositOvertaken: it must not commit, another attempt went on."""
        answered = await store.answer(
            tx, client_id=self.client_id, key=self.key, attempt=self.attempt, answer=msgspec.to_builtins(answer)
        )
        if not answered:
            raise DepositOvertaken


async def once(
    db: Database,
    work: Callable[[Attempt], Awaitable[T]],
    *,
    again: Callable[[dict[str, Any]], T],
    client_id: str,
    key: str,
    request_sha256: bytes,
    lease_s: int,
    lifetime_s: int,
) -> T:
    """Do ``work`` under a key, or give ``again`` what it answered before.

    Raises IdempotencyKeyReused, IdempotencyKeyInFlight.
    """
    # The key is taken when the request is known whole, because its digest belongs to the key.
    attempt = new_id()
    row = await store.begin(
        db,
        client_id=client_id,
        key=key,
        request_sha256=request_sha256,
        attempt=attempt,
        lease_s=lease_s,
        lifetime_s=lifetime_s,
    )
    if row.request_sha256 != request_sha256:
        raise IdempotencyKeyReused
    if row.answer is not None:
        return again(row.answer)
    if row.attempt != attempt:
        raise IdempotencyKeyInFlight
    try:
        return await work(Attempt(client_id=client_id, key=key, attempt=attempt))
    except BaseException:
        # Refused, failed or cancelled: nothing came of it, unless its transaction did commit, and then this row has an
        # answer and stays. Shielded, because a cancelled request is just when it is needed.
        with contextlib.suppress(Unavailable):
            await asyncio.shield(store.release(db, client_id=client_id, key=key, attempt=attempt))
        raise
