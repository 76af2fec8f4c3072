"""Take due messages from the outbox and give them to the sender."""

import logging
from collections.abc import Sequence

import msgspec

from idp.keys.secrets import Secrets
from idp.messages import store
from idp.messages.post import sealer
from idp.messages.schema import Channel, Letter, Outgoing, Sender
from kit.db import Database, Row

log = logging.getLogger("khizana.messages")
_AT_ONCE_MAX = 50
_LEASE_S = 30


def opened(secrets: Secrets, row: Row) -> Outgoing:
    plain = sealer(secrets).open(row["sealed"], place=f"outbox|{row['message_id']}")
    return Outgoing(
        message_id=row["message_id"],
        kind=row["kind"],
        channel=row["channel"],
        created_at=row["created_at"],
        letter=msgspec.json.decode(plain, type=Letter),
    )


async def deliver(db: Database, secrets: Secrets, sender: Sender, *, channels: Sequence[Channel]) -> int:
    """One round; how many were sent. What the sender refused is tried again later, later each time.

    A message may be sent twice where we die between sending and noting it, never lost.
    """
    delivered = 0
    for row in await store.claim(db, channels=channels, count_max=_AT_ONCE_MAX, lease_s=_LEASE_S):
        message = opened(secrets, row)
        try:
            await sender.send(message)
        except Exception:
            # The sender is foreign code behind a network: whatever it raises means "not now".
            log.warning("a message was not sent", exc_info=True, extra={"message_id": str(message.message_id)})
            continue
        await store.sent(db, message.message_id)
        delivered += 1
    return delivered
