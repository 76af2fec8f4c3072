from kit.db import Tx
from locker.administrations import store


async def find_seals(tx: Tx, administration: str) -> list[bytes]:
    """DER of the seal certificates registered for an administration now."""
    return await store.seal_certificates(tx, administration=administration)
