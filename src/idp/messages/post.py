"""Put a message into the outbox, in the transaction that is its reason."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec

from idp.citizens.sealed import Sealer
from idp.keys.secrets import Secrets
from idp.messages import store
from idp.messages.schema import Channel, Letter, Notice
from idp.messages.sms_caps import SmsCaps
from kit.db import Tx
from kit.i18n import Locale
from kit.ids import new_id
from kit.pages import Pages
from kit.throttle import Throttle

_CONTACTS: tuple[tuple[Channel, str], ...] = (("sms", "phone_number"), ("email", "email"))


def sealer(secrets: Secrets) -> Sealer:
    return Sealer(secrets.derive("outbox"))


class Post:
    """Says a notice in the citizen's language and seals it."""

    def __init__(self, secrets: Secrets, pages: Pages, caps: SmsCaps = SmsCaps()) -> None:  # noqa: B008 - frozen
        self._sealer = sealer(secrets)
        self._pages = pages
        self._caps = caps
        self._throttle = Throttle("idp")

    def serves(self, channel: Channel, address: str) -> bool:
        """Is this a number of a country that gets text messages? Mail goes everywhere."""
        return channel == "email" or self._caps.country_of(address) is not None

    async def post(
        self, tx: Tx, *, citizen_id: UUID, channel: Channel, address: str, notice: Notice, locale: Locale
    ) -> bool:
        """False for a text message over its limits: it is not written."""
        if channel == "sms" and not await self._caps.take(tx, self._throttle, address):
            return False
        say = self._pages.translator(locale).gettext
        letter = Letter(address=address, locale=locale.tag, subject=say(notice.subject), text=say(notice.text))
        message_id = new_id()
        await store.insert(
            tx,
            message_id=message_id,
            citizen_id=citizen_id,
            kind=notice.kind,
            channel=channel,
            sealed=self._sealer.seal(msgspec.json.encode(letter), place=f"outbox|{message_id}"),
            lifetime_s=notice.lifetime_s,
        )
        return True

    async def tell(
        self, tx: Tx, *, citizen_id: UUID, claims: Mapping[str, Any], notice: Notice, locale: Locale
    ) -> None:
        """To every contact point that is recorded, so that one in wrong hands does not keep it quiet."""
        for channel, name in _CONTACTS:
            address = claims.get(name)
            if isinstance(address, str):
                await self.post(
                    tx, citizen_id=citizen_id, channel=channel, address=address, notice=notice, locale=locale
                )
