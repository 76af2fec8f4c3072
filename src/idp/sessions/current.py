from idp.sessions import store
from idp.sessions.schema import Session
from kit.db import Tx
from kit.tokens import digest

IDLE_S = 900


async def current(tx: Tx, cookie_token: str | None, *, idle_s: int = IDLE_S) -> Session | None:
    """The live session behind a cookie. One statement; None for nothing, ended, expired, idle, or not active."""
    if cookie_token is None:
        return None
    return await store.current(tx, digest(cookie_token), idle_s=idle_s)
