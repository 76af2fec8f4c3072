from collections.abc import Sequence

from idp.clients.store import Seen
from idp.device import store
from idp.token import polling
from kit.db import Tx


async def poll(tx: Tx, device_code_sha256: bytes, client_id: str, once: Sequence[Seen]) -> tuple[Sequence[bytes], str]:
    """How it stands with a device_code to which nothing was given yet (RFC 8628 §3.5)."""
    return await polling.poll(tx, store.POLL, device_code_sha256, client_id=client_id, once=once)
