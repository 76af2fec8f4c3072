"""Text messages cost money, and somebody may earn by making us send them: each has its limits (L-31).

Counted before a message is written, in its transaction: for the number, for the thousand numbers around it, and for
everybody in a day. Who asks is limited where the request comes in.
"""

import hashlib
import logging

import msgspec

from idp.messages import store
from idp.settings import IdpSettings
from kit.db import Tx
from kit.throttle import Limit, Throttle

alerts = logging.getLogger("khizana.alert")

PER_NUMBER = Limit("sms-number", 30, 86_400)
PER_THOUSAND = Limit("sms-thousand", 60, 3_600)
_ALERT = Limit("sms-alert", 1, 3_600)
# Part of +212 and premium all the same: 089 numbers cost the caller, and pay somebody.
_PREMIUM = ("+21289",)


class SmsCaps(msgspec.Struct, frozen=True):
    countries: tuple[str, ...] = ("+212",)
    day_max: int = 100_000

    @classmethod
    def of(cls, settings: IdpSettings) -> "SmsCaps":
        return cls(settings.sms_countries, settings.sms_day_max)

    def country_of(self, number: str) -> str | None:
        """The beginning under which this number is served; None for one that is not."""
        if number.startswith(_PREMIUM):
            return None
        return next((country for country in self.countries if number.startswith(country)), None)

    async def take(self, tx: Tx, throttle: Throttle, number: str) -> bool:
        """Count one message; False where it must not go. The throttle's table holds no phone numbers."""
        country = self.country_of(number)
        if country is None:
            return False
        within = await throttle.count(tx, PER_NUMBER, _digest(number), blocks=False)
        within = await throttle.count(tx, PER_THOUSAND, _digest(number[:-3]), blocks=False) and within
        day = Limit("sms-day", self.day_max, 86_400)
        if not await throttle.count(tx, day, "", blocks=False):
            if await throttle.count(tx, _ALERT, "", blocks=False):
                alerts.warning("the day's text messages are used up")
            return False
        if within:
            await store.count_sms(tx, country)
        return within


def _digest(number: str) -> str:
    return hashlib.sha256(number.encode()).hexdigest()[:32]
