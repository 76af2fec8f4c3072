"""Dates in Africa/Casablanca. Babel writes them; what its data lack for Standard Moroccan Amazigh stands here."""

import datetime as dt
from zoneinfo import ZoneInfo

from babel import dates as babel

from kit.i18n.locale import Locale

CASABLANCA = ZoneInfo("Africa/Casablanca")

# Seconds of a unit, one, several (IRCAM spelling; after a number the noun stands in the annexed state).
_ZGH_UNITS = (
    (31_536_000, "ⵢⴰⵏ ⵓⵙⴳⴳⵯⴰⵙ", "ⵉⵙⴳⴳⵯⴰⵙⵏ"),
    (2_592_000, "ⵢⴰⵏ ⵡⴰⵢⵢⵓⵔ", "ⵡⴰⵢⵢⵓⵔⵏ"),
    (604_800, "ⵢⴰⵏ ⵉⵎⴰⵍⴰⵙⵙ", "ⵉⵎⴰⵍⴰⵙⵙⵏ"),
    (86_400, "ⵢⴰⵏ ⵡⴰⵙⵙ", "ⵡⵓⵙⵙⴰⵏ"),
    (3_600, "ⵢⴰⵜ ⵜⵙⵔⴰⴳⵜ", "ⵜⵙⵔⴰⴳⵉⵏ"),
    (60, "ⵢⴰⵜ ⵜⵓⵙⴷⵉⴷⵜ", "ⵜⵓⵙⴷⵉⴷⵉⵏ"),
    (1, "ⵢⴰⵜ ⵜⵙⵉⵏⵜ", "ⵜⵙⵉⵏⵉⵏ"),
)


def date(when: dt.date, locale: Locale) -> str:
    if isinstance(when, dt.datetime):
        when = _there(when)
    return babel.format_date(when, "long", locale=locale.babel)


def moment(when: dt.datetime, locale: Locale) -> str:
    """The comma is the locale's own; seconds say nothing to a person."""
    local = _there(when)
    comma = "،" if locale is Locale.AR else ","
    return f"{babel.format_date(local, 'long', locale=locale.babel)}{comma} {local:%H:%M}"


def clock(when: dt.datetime) -> str:
    """To the second: when something that was asked for was done."""
    return f"{_there(when):%H:%M:%S}"


def _there(when: dt.datetime) -> dt.datetime:
    """The first and the last day of all, which a signer may claim, are days in UTC only."""
    try:
        return when.astimezone(CASABLANCA)
    except OverflowError:
        return when


def relative(delta: dt.timedelta, locale: Locale) -> str:
    if locale is Locale.ZGH:
        return _relative_zgh(delta.total_seconds())
    return babel.format_timedelta(delta, add_direction=True, locale=locale.babel)


def _relative_zgh(seconds: float) -> str:
    size = abs(seconds)
    # A unit is used from 85 % of it on, as Babel does for the other languages.
    unit_s, one, several = next((u for u in _ZGH_UNITS if size >= 0.85 * u[0]), _ZGH_UNITS[-1])
    count = max(1, round(size / unit_s))
    amount = one if count == 1 else f"{count} ⵏ {several}"
    return f"ⴷⴰⵔⵜ {amount}" if seconds >= 0 else f"{amount} ⴰⵢⴰ"
