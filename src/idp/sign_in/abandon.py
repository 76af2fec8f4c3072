from idp.sign_in import store
from kit.db import Tx


async def abandon(tx: Tx, browser_sha256: bytes) -> None:
    """Whoever tries to act with a half-done sign-in loses it."""
    await store.abandon_attempts(tx, browser_sha256)
