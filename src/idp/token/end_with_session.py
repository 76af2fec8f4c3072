from idp.token import store
from kit.db import Tx


async def end_with_session(tx: Tx, sid: str) -> None:
    """Token families without ``offline_access`` end with the session that they were born in."""
    await store.end_families_of_session(tx, sid)
