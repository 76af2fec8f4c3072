"""The four languages and the choice between them."""

import enum
from typing import Literal

LANG_COOKIE = "__Host-lang"
_ACCEPT_LANGUAGE_MAX = 500
_TAGS_MAX = 20


class Locale(enum.StrEnum):
    AR = "ar"
    ZGH = "zgh"
    FR = "fr"
    EN = "en"

    @property
    def tag(self) -> str:
        """The BCP 47 tag for ``lang`` and ``Content-Language``."""
        return {"ar": "ar-MA", "fr": "fr-MA"}.get(self.value, self.value)

    @property
    def direction(self) -> Literal["rtl", "ltr"]:
        """Tifinagh runs left to right."""
        return "rtl" if self is Locale.AR else "ltr"

    @property
    def native_name(self) -> str:
        return {"ar": "العربية", "zgh": "ⵜⴰⵎⴰⵣⵉⵖⵜ", "fr": "Français", "en": "English"}[self.value]

    @property
    def babel(self) -> str:
        """The name of Babel's data. English dates are written day first, as everywhere else on the page."""
        return {"ar": "ar_MA", "fr": "fr_MA", "zgh": "zgh", "en": "en_GB"}[self.value]


# Tags under which people and browsers ask for Moroccan Amazigh: the standard, its macro tags, the regional languages.
_LANGUAGES = {
    "ar": Locale.AR,
    "ary": Locale.AR,
    "fr": Locale.FR,
    "en": Locale.EN,
    "zgh": Locale.ZGH,
    "ber": Locale.ZGH,
    "tzm": Locale.ZGH,
    "shi": Locale.ZGH,
    "rif": Locale.ZGH,
}


def match(tag: str | None) -> Locale | None:
    """The locale of one BCP 47 tag, by its primary language."""
    if not tag:
        return None
    return _LANGUAGES.get(tag.strip().replace("_", "-").split("-", 1)[0].lower())


def negotiate(
    *,
    query_locale: str | None = None,
    cookie: str | None = None,
    ui_locales: str | None = None,
    profile: str | None = None,
    accept_language: str | None = None,
) -> Locale:
    """What the person chose by a link (now, or before: the cookie), then what the relying party asks for
    (``ui_locales``, space-separated, OIDC Core §3.1.2.1), then the profile, then the browser; else Arabic.
    """
    return (
        match(query_locale)
        or match(cookie)
        or _first((ui_locales or "").split()[:_TAGS_MAX])
        or match(profile)
        or _first(_preferred(accept_language or ""))
        or Locale.AR
    )


def _first(tags: list[str]) -> Locale | None:
    return next((locale for tag in tags if (locale := match(tag))), None)


def _preferred(accept_language: str) -> list[str]:
    """Tags by falling quality (RFC 9110 §12.5.4), those with ``q=0`` left out."""
    ranked: list[tuple[float, str]] = []
    for part in accept_language[:_ACCEPT_LANGUAGE_MAX].split(",")[:_TAGS_MAX]:
        tag, _, parameter = part.partition(";")
        name, _, text = parameter.strip().partition("=")
        try:
            quality = float(text) if name.strip().lower() == "q" else 1.0
        except ValueError:
            continue
        if quality > 0:
            ranked.append((quality, tag))
    return [tag for _, tag in sorted(ranked, key=lambda pair: -pair[0])]
