"""Cookies, and the citizen behind one."""

import base64
import hashlib
import re
import secrets

import msgspec
from litestar.datastructures import Cookie

from kit.db import Database
from kit.tokens import digest
from locker.access import store
from locker.access.schema import Citizen

SESSION_COOKIE = "__Host-locker-session"
BROWSER_COOKIE = "__Host-locker-browser"
"""Anonymous: binds a started sign-in, and what a share link showed, to one browser."""

_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
# Paths of ours that a sign-in may return to; anything else would be an open redirect.
_RETURN_TO = re.compile(r"/(?:wallet(?:/[A-Za-z0-9._~/-]*)?)?(?:\?[A-Za-z0-9._~&=%/-]*)?", re.ASCII)
_RETURN_TO_MAX = 500


class SessionLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds."""

    idle_s: int = 15 * 60
    lifetime_s: int = 12 * 3600
    sign_in_lifetime_s: int = 600


async def citizen_of(db: Database, cookie: str | None, limits: SessionLimits) -> Citizen | None:
    if not cookie or not _TOKEN.fullmatch(cookie):
        return None
    return await store.session(db, session_sha256=digest(cookie), idle_s=limits.idle_s)


def browser_of(cookie: str | None) -> str | None:
    """The value of the anonymous cookie if it can be one of ours."""
    return cookie if cookie and _TOKEN.fullmatch(cookie) else None


def cookie(name: str, value: str, *, max_age_s: int | None = None) -> Cookie:
    return Cookie(key=name, value=value, path="/", secure=True, httponly=True, samesite="lax", max_age=max_age_s)


def expired_cookie(name: str) -> Cookie:
    return cookie(name, "", max_age_s=0)


def safe_return_to(path: str | None) -> str:
    if path and len(path) <= _RETURN_TO_MAX and _RETURN_TO.fullmatch(path) and "//" not in path:
        return path
    return "/wallet"


def new_code_verifier() -> str:
    return secrets.token_urlsafe(48)


def s256_challenge(code_verifier: str) -> str:
    """BASE64URL(SHA256(verifier)) without padding: always 43 characters (RFC 7636 §4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(code_verifier.encode()).digest()).rstrip(b"=").decode()
