"""The two cookies of the provider: who is signed in, and which browser this is.

Both carry 256 random bits. ``__Host-`` ties them to this host alone, so that no neighbour can plant one.
"""

from typing import Any

from litestar import Request
from litestar.datastructures import Cookie

SESSION_COOKIE = "__Host-idp-session"
BROWSER_COOKIE = "__Host-idp-browser"
_TOKEN_CHARACTERS = 43


def read(request: Request[Any, Any, Any], name: str) -> str | None:
    """The cookie's token. One that is sent twice, or is not a token of ours by its form, is as good as absent."""
    found = [
        value.strip()
        for key, header in request.scope["headers"]
        if key == b"cookie"
        for cookie in header.decode("latin-1").split(";")
        for cookie_name, _, value in [cookie.partition("=")]
        if cookie_name.strip() == name
    ]
    if len(found) != 1 or len(found[0]) != _TOKEN_CHARACTERS or not found[0].isascii():
        return None
    return found[0]


def session_cookie(token: str) -> Cookie:
    """Without Max-Age: it ends with the browser, and at the latest when the row says so."""
    return _cookie(SESSION_COOKIE, token)


def no_session_cookie() -> Cookie:
    return _cookie(SESSION_COOKIE, "", max_age=0)


def browser_cookie(token: str) -> Cookie:
    return _cookie(BROWSER_COOKIE, token)


def _cookie(name: str, value: str, max_age: int | None = None) -> Cookie:
    return Cookie(key=name, value=value, max_age=max_age, path="/", secure=True, httponly=True, samesite="lax")
