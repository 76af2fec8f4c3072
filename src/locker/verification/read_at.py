import datetime as dt
import re

from locker.verification.refusals import AtInFuture, AtUnreadable

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
# Clocks differ; an answer for the next minute is one for now.
_SKEW = dt.timedelta(minutes=1)


def read_at(text: str | None, *, now: dt.datetime) -> dt.datetime | None:
    """The moment that somebody asks about (RFC 3339): a date-time with its zone, or a date, which is the last second of
    that day in UTC, or now if the day is today. None for none. Raises AtUnreadable, AtInFuture.
    """
    if not text:
        return None
    try:
        if _DAY.fullmatch(text):
            day = dt.date.fromisoformat(text)
            if day > now.date():
                raise AtInFuture
            return min(now, dt.datetime.combine(day, dt.time(23, 59, 59), dt.UTC))
        at = dt.datetime.fromisoformat(text).astimezone(dt.UTC) if len(text) <= 40 else None
        if at is None or dt.datetime.fromisoformat(text).tzinfo is None:
            raise AtUnreadable
    except (ValueError, OverflowError):
        raise AtUnreadable from None
    if at > now + _SKEW:
        raise AtInFuture
    return min(at, now)
