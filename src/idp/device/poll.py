from collections.abc import Sequence

from idp.clients.store import Seen
from idp.device import store
from idp.device.schema import SLOWER_S
from kit.db import Tx


async def poll(tx: Tx, device_code_sha256: bytes, client_id: str, once: Sequence[Seen]) -> tuple[Sequence[bytes], str]:
    """How it stands with a device_code to which nothing was given yet (RFC 8628 §3.5): ``unknown``, ``expired``,
    ``denied``, ``pending`` or ``too-fast``. A poll that comes too early makes the interval longer, for this one and all
    that follow. Also which of ``once`` were fresh; with a replay nothing else is written.
    """
    row = await store.poll(tx, device_code_sha256, client_id=client_id, once=once, slower_s=SLOWER_S)
    return row["seen"], row["state"]
