"""The browser before anybody is known in it: sign-in attempts, interactions and forms are bound to it."""

from typing import Any

import msgspec
from litestar import Request
from litestar.datastructures import Cookie

from idp.sessions.cookies import BROWSER_COOKIE, browser_cookie, read
from kit.tokens import digest, new_token

# Order matters: Edge and Opera also say Chrome, Chrome also says Safari.
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("CriOS/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


class Browser(msgspec.Struct, frozen=True):
    token: str
    is_new: bool

    @property
    def sha256(self) -> bytes:
        return digest(self.token)

    @property
    def cookies(self) -> list[Cookie]:
        """To send with the answer: nothing where the browser has its cookie already."""
        return [browser_cookie(self.token)] if self.is_new else []


def browser_of(request: Request[Any, Any, Any]) -> Browser:
    """The browser's token; a fresh one, to be sent with the answer, where it has none."""
    token = read(request, BROWSER_COOKIE)
    return Browser(new_token(), True) if token is None else Browser(token, False)


def browser_label(user_agent: str) -> str:
    """What a person recognises a session by: ``Firefox, Android``. Nothing of the header itself is kept."""
    browser = next((label for sign, label in _BROWSERS if sign in user_agent), "")
    system = next((label for sign, label in _SYSTEMS if sign in user_agent), "")
    return ", ".join(part for part in (browser, system) if part)
