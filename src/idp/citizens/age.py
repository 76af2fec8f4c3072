"""Statements about age that say yes or no, and not when somebody was born (P-11)."""

import datetime as dt
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from kit.i18n.dates import CASABLANCA

AGES = (12, 15, 16, 18, 21)
AGE_CLAIMS: Mapping[str, int] = {f"age_over_{age}": age for age in AGES}
"""Few, so that nobody asks a birth date together year by year."""


def age_statements(claims: Mapping[str, Any], now: dt.datetime) -> dict[str, bool]:
    """True from the birthday on, by the calendar of where the citizen lives; nothing where no birth date is kept."""
    try:
        born = dt.date.fromisoformat(str(claims.get("birthdate")))
    except ValueError:
        return {}
    today = now.astimezone(_zone(claims)).date()
    return {name: has_reached(age, born=born, today=today) for name, age in AGE_CLAIMS.items()}


def has_reached(age: int, *, born: dt.date, today: dt.date) -> bool:
    """Who was born on 29 February has a birthday on 1 March where there is none: never a day too early."""
    try:
        birthday = born.replace(year=born.year + age)
    except ValueError:
        birthday = dt.date(born.year + age, 3, 1)
    return today >= birthday


def _zone(claims: Mapping[str, Any]) -> dt.tzinfo:
    try:
        return ZoneInfo(str(claims["zoneinfo"]))
    except (KeyError, ValueError, OSError, ZoneInfoNotFoundError):
        return CASABLANCA
