from collections.abc import Sequence

import msgspec

from idp.clients.spend import Once, refuse_repeated
from idp.device import store
from idp.device.schema import SLOWER_S, Polled
from kit.db import Tx


async def poll(tx: Tx, device_code_sha256: bytes, *, client_id: str, once: Sequence[Once]) -> Polled:
    """How it stands with a device_code to which nothing was given yet (RFC 8628 §3.5). A poll that comes too early
    makes the interval longer, for this one and all that follow."""
    row = await store.poll(tx, device_code_sha256, client_id=client_id, once=once, slower_s=SLOWER_S)
    refuse_repeated(once, row["seen"])
    polled: Polled = msgspec.convert(row["state"], Polled)
    return polled
