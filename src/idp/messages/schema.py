import datetime as dt
from typing import Literal, Protocol, runtime_checkable
from uuid import UUID

import msgspec

from kit.i18n import Message

Channel = Literal["sms", "email"]


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be said, in no language yet."""

    kind: str
    subject: Message
    text: Message
    lifetime_s: int = 86_400
    """After this it is no longer worth sending."""


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """What is sealed in the outbox: who gets which words."""

    address: str
    locale: str
    subject: str
    text: str


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """One message as a sender gets it."""

    message_id: UUID
    kind: str
    channel: Channel
    created_at: dt.datetime
    letter: Letter


class NotSent(Exception):
    """Why, in words for the log: they name nobody."""


@runtime_checkable
class Sender(Protocol):
    """A plug-in that brings messages of one or both channels to people. Raising means: try again later. Only what
    NotSent says is logged; what others say may hold an address. A send that is cancelled, because it takes too long,
    must not go out after all."""

    async def send(self, message: Outgoing) -> None: ...
