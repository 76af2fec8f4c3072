from kit.db import Tx
from locker.administrations import store


async def find_domains(tx: Tx, *, administration: str) -> list[str]:
    """Under which it may name addresses of documents that it keeps."""
    return await store.domains(tx, administration=administration)
