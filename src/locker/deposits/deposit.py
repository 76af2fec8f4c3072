from typing import Any

import msgspec

from kit.errors import Refusal
from locker.administrations.identify import identify
from locker.administrations.schema import Depositor
from locker.deposits import receive
from locker.deposits.body import Body
from locker.deposits.count_attempt import count_attempt
from locker.deposits.decode import decode
from locker.deposits.desk import DepositDesk
from locker.deposits.examine import examine
from locker.deposits.keep import keep
from locker.deposits.once import Attempt, once
from locker.deposits.record_refusal import record_refusal
from locker.deposits.refusals import IdempotencyKeyInFlight
from locker.deposits.schema import Deposited, DepositRequest, Quarantined


async def deposit(desk: DepositDesk, body: Body, *, client_id: str, idempotency_key: str) -> Deposited | Quarantined:
    """The steps of docs/adr/0004. A repeated key with the same request gets the same answer and no second document.

    Whatever is refused leaves an audit row and nothing else. What cannot be judged yet is quarantined.
    """
    depositor = await identify(desk.db, client_id=client_id)
    await count_attempt(desk, desk.limits.per_client, client_id)
    try:
        with desk.places.of(depositor.administration):
            async with receive.receive(
                body.frames,
                content_type=body.content_type,
                content_length=body.content_length,
                repr_digest=body.repr_digest,
                limits=desk.limits.receive,
            ) as received:
                return await once(
                    desk.db,
                    lambda attempt: _deposit(desk, received, depositor, attempt),
                    again=answered,
                    client_id=client_id,
                    key=idempotency_key,
                    request_sha256=received.request_sha256,
                    lease_s=desk.limits.lease_s,
                    lifetime_s=desk.limits.lifetime_s,
                )
    except Refusal as refusal:
        if refusal.status < 500 and not isinstance(refusal, IdempotencyKeyInFlight):
            await record_refusal(desk, depositor, refusal, client_id=client_id)
        raise


async def _deposit(
    desk: DepositDesk, received: receive.Received, depositor: Depositor, attempt: Attempt
) -> Deposited | Quarantined:
    client_id = attempt.client_id
    examined = await examine(desk, received, decode(received.deposit, DepositRequest), depositor, client_id=client_id)
    return await keep(desk, received, examined, depositor, client_id=client_id, settle=attempt.answer)


def answered(answer: dict[str, Any]) -> Deposited | Quarantined:
    """What was answered before under a key."""
    if answer.get("state") in ("quarantined", "pending-scan"):
        return msgspec.convert(answer, Quarantined)
    return msgspec.convert(answer, Deposited)
