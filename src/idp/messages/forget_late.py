import logging
from typing import get_args

from idp.messages import store
from idp.messages.schema import Channel
from kit import metrics
from kit.db import Tx

log = logging.getLogger("khizana.messages")


async def forget_late(tx: Tx) -> None:
    """Messages that are past their use: nobody sends them any more, and they stand before those that wait."""
    for channel in get_args(Channel):
        if late := await store.forget_late(tx, channel):
            metrics.messages.labels(channel, "late").inc(late)
            log.warning("%d messages by %s were past their use before they could be sent", late, channel)
