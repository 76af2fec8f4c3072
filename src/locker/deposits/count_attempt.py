from kit.db import Tx
from kit.throttle import Limit
from locker.deposits import store
from locker.deposits.desk import DepositDesk


async def count_attempt(desk: DepositDesk, limit: Limit, client_id: str) -> None:
    """TooManyRequests once this window's are used up."""

    async def count(tx: Tx) -> None:
        await store.need_not_last(tx)
        await desk.throttle.count(tx, limit, client_id)

    await desk.db.transact(count)
