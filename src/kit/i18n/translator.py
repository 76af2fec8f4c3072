"""Saying things in one language."""

import datetime as dt
import gettext
from collections.abc import Mapping
from typing import Any

import msgspec

from kit.i18n import dates
from kit.i18n.locale import Locale


class Message(msgspec.Struct, frozen=True):
    """A sentence to be said later: ``msgid`` is English, ``values`` fill its ``%(name)s``."""

    msgid: str
    values: Mapping[str, Any] = {}

    def __str__(self) -> str:
        return self.msgid % self.values if self.values else self.msgid


def _(msgid: str, **values: Any) -> Message:
    """Mark a sentence for translation. Write the msgid as a literal here, so that the catalogs' test finds it."""
    return Message(msgid, values)


class Translator:
    def __init__(self, locale: Locale, translations: gettext.NullTranslations) -> None:
        self.locale = locale
        self._translations = translations

    def gettext(self, message: str | Message, **values: Any) -> str:
        msgid, values = _parts(message, values)
        text = self._translations.gettext(msgid) if msgid else ""
        return text % values if values else text

    def ngettext(self, singular: str, plural: str, n: int, **values: Any) -> str:
        return self.plural(singular, plural, n) % {"num": n, **values}

    def plural(self, singular: str, plural: str, n: int) -> str:
        """The form for ``n``, its placeholders not yet filled."""
        return self._translations.ngettext(singular, plural, n)

    def date(self, when: dt.date) -> str:
        """``24 November 2026``. A datetime is taken to Africa/Casablanca first."""
        return dates.date(when, self.locale)

    def moment(self, when: dt.datetime) -> str:
        """Date and time in Africa/Casablanca, to the minute."""
        return dates.moment(when, self.locale)

    def relative(self, when: dt.datetime, *, now: dt.datetime | None = None) -> str:
        """``in 3 days``, ``2 hours ago``."""
        return dates.relative(when - (now or dt.datetime.now(dt.UTC)), self.locale)

    def expiry(self, when: dt.datetime, *, now: dt.datetime | None = None) -> str:
        """Absolute and relative: ``27 November 2026, 15:05 (in 3 days)``."""
        together = self.relative(when, now=now).replace(" ", "\N{NO-BREAK SPACE}")
        return f"{self.moment(when)} ({together})"


def _parts(message: str | Message, values: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    if isinstance(message, Message):
        return message.msgid, {**message.values, **values}
    return message, values
