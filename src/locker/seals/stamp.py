from datetime import datetime
from zoneinfo import ZoneInfo

from msgspec import UNSET

from locker.administrations.schema import Names
from locker.seals.schema import VisibleStamp
from locker.signatures.seal_request import Stamp

_CASABLANCA = ZoneInfo("Africa/Casablanca")


def stamp_of(asked: VisibleStamp, names: Names, *, seal_id: str, locker_url: str, at: datetime) -> Stamp:
    """Who and when, in both languages: a stamp says nothing that is not also in the signature."""
    there = at.astimezone(_CASABLANCA)
    date, time = f"{there:%d/%m/%Y}", f"{there:%H:%M}"
    return Stamp(
        arabic_text=f"ختم إلكتروني\n{names.ar}\nبتاريخ {date} على الساعة {time}",
        text=f"Cachet électronique\n{names.fr}\nle {date} à {time}",
        qr=f"{locker_url}/verify" if asked.qr is UNSET else asked.qr,
        box=asked.box,
        page=asked.page - 1,
    )
