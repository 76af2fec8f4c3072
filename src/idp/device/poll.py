import msgspec

from idp.device import store
from idp.device.schema import SLOWER_S, Polled
from kit.db import Tx


async def poll(tx: Tx, device_code_sha256: bytes, *, client_id: str, assertion: tuple[bytes | None, float]) -> Polled:
    """How it stands with a device_code to which nothing was given yet (RFC 8628 §3.5). A poll that comes too early
    makes the interval longer, for this one and all that follow."""
    state = await store.poll(tx, device_code_sha256, client_id=client_id, assertion=assertion, slower_s=SLOWER_S)
    polled: Polled = msgspec.convert(state, Polled)
    return polled
