"""Languages: which one to speak, how to say it, and how to write dates, digits and names in it.

* ``Locale``: ``AR``, ``FR``, ``ZGH``, ``EN``; ``.tag`` (``ar-MA``), ``.direction`` (``rtl``/``ltr``), ``.native_name``.
  Its value (``Locale("ar")``) is what stands in a profile, in ``?lang=`` and in the cookie.
* ``negotiate(query_locale=…, cookie=…, ui_locales=…, profile=…, accept_language=…) -> Locale``.
* ``Catalogs.load(folders)``: the ``.po`` files of several packages, compiled in memory; ``.translator(locale)``.
* ``Translator``: ``gettext(message, **values)``, ``ngettext(singular, plural, n, **values)``, ``date``, ``moment``,
  ``expiry``, ``relative``. Placeholders are ``%(name)s``; the count is ``%(num)s``.
* In Python, ``_("A sentence with %(limit)s.", limit=3)`` makes a ``Message``: a sentence to be said later, in the
  reader's language. A template says it with ``{{ _(message) }}``. A plain ``str`` msgid (a Refusal's title) works too.
* ``strip_controls(text)`` for names and file names at input, ``ascii_digits(text)`` for codes and identifiers.
* ``clock(when)``: to the second, for what was done just now.
"""

from kit.i18n.catalogs import Catalogs
from kit.i18n.dates import clock
from kit.i18n.locale import LANG_COOKIE, Locale, negotiate
from kit.i18n.text import ascii_digits, strip_controls
from kit.i18n.translator import Message, Translator, _

__all__ = [
    "LANG_COOKIE",
    "Catalogs",
    "Locale",
    "Message",
    "Translator",
    "_",
    "ascii_digits",
    "clock",
    "negotiate",
    "strip_controls",
]
