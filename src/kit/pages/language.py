"""The language of one request: what the link says, remembered in a cookie."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from kit.i18n.locale import LANG_COOKIE, Locale, match, negotiate

_A_YEAR_S = 31_536_000


def locale_of(
    query: Mapping[str, str],
    cookies: Mapping[str, str],
    *,
    accept_language: str | None = None,
    ui_locales: str | None = None,
    profile: str | None = None,
) -> Locale:
    """``ui_locales`` is that of the pending authorization request, ``profile`` the signed-in citizen's own choice."""
    return negotiate(
        query_locale=query.get("lang"),
        cookie=cookies.get(LANG_COOKIE),
        ui_locales=ui_locales if ui_locales is not None else query.get("ui_locales"),
        profile=profile,
        accept_language=accept_language,
    )


def lang_cookie(query: Mapping[str, str]) -> str | None:
    """The Set-Cookie value that remembers a ``?lang=`` in ``query``; None where there is none that we speak."""
    locale = match(query.get("lang"))
    if locale is None:
        return None
    return f"{LANG_COOKIE}={locale.value}; Path=/; Max-Age={_A_YEAR_S}; Secure; HttpOnly; SameSite=Lax"


def own_address(scope: Mapping[str, Any]) -> str:
    """Path and query of a request. Not by its URL: that is made of the Host header too, which may be nonsense."""
    query = scope["query_string"].decode("utf-8", "replace")
    return quote(scope["path"]) + (f"?{query}" if query else "")


def in_language(path: str, locale: Locale) -> str:
    """``path`` with its query, its ``lang`` replaced. Only ever a path of this host, whatever ``path`` says."""
    parts = urlsplit(path)
    query = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name != "lang"]
    # Browsers read a backslash as a slash, and two of them as the start of another host's name.
    return "/" + parts.path.lstrip("/\\") + "?" + urlencode([*query, ("lang", locale.value)])
