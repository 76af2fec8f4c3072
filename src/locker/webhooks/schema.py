import datetime as dt
from typing import Annotated, Any, Literal

import msgspec

from kit.audit import ActorKind

Scheme = Literal["v1", "v1a"]
"""HMAC-SHA256 with a shared secret; Ed25519, whose private half never leaves the locker."""

DisabledReason = Literal["gone", "failing", "owner", "officer"]
MessageState = Literal["waiting", "delivered", "failed", "held"]

TEST = "webhook.test"
OF_ADMINISTRATIONS = (
    "document.deposited",
    "document.superseded",
    "document.suspended",
    "document.resumed",
    "document.revoked",
)
OF_CLIENTS = (
    "share.ended",
    "share.document_superseded",
    "share.document_suspended",
    "share.document_resumed",
    "share.document_revoked",
)


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """An administration, or one relying party's client."""

    administration: str | None = None
    client_id: str | None = None

    @property
    def name(self) -> str:
        return self.administration or self.client_id or ""

    @property
    def events(self) -> tuple[str, ...]:
        return OF_ADMINISTRATIONS if self.administration else OF_CLIENTS


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Who acts: a client of the owner by API, an officer at the console."""

    kind: ActorKind
    name: str


class NewWebhook(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    url: Annotated[str, msgspec.Meta(min_length=1, max_length=2_048)]
    """https, a public address, without user information. No redirect is followed."""
    events: Annotated[list[str], msgspec.Meta(min_length=1, max_length=16)]
    schemes: Annotated[tuple[Scheme, ...], msgspec.Meta(min_length=1, max_length=2)] = ("v1",)


class Key(msgspec.Struct, frozen=True, kw_only=True):
    key_id: str
    scheme: Scheme
    verify_with: str
    """``whsec_…``, which is a secret and said this once; or ``whpk_…``."""


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    webhook_id: str
    owner: str
    url: str
    events: list[str]
    state: Literal["active", "disabled"]
    disabled_reason: DisabledReason | None
    failing_since: dt.datetime | None
    """Since when no message was taken; None after each that was."""
    created_at: dt.datetime


class WebhookWithKeys(msgspec.Struct, frozen=True, kw_only=True):
    webhook: Webhook
    keys: list[Key]
    """Those that were made just now."""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    message_id: str
    """The header ``webhook-id`` of each attempt."""
    type: str
    data: dict[str, Any]
    occurred_at: dt.datetime
    state: MessageState
    attempts: int
    last_outcome: str | None


class Replay(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Either one message, or those of a time that have one of the states."""

    message_id: Annotated[str, msgspec.Meta(max_length=100)] | None = None
    since: Annotated[dt.datetime, msgspec.Meta(tz=True)] | None = None
    until: Annotated[dt.datetime, msgspec.Meta(tz=True)] | None = None
    states: Annotated[tuple[MessageState, ...], msgspec.Meta(max_length=4)] = ("failed", "held")

    def __post_init__(self) -> None:
        # At the ends of the calendar no other time zone has a name for the moment.
        if any(at is not None and not 1970 <= at.year <= 9000 for at in (self.since, self.until)):
            raise ValueError("since, until: too far away")


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    messages: int


class SealedKey(msgspec.Struct, frozen=True, kw_only=True):
    key_id: str
    scheme: Scheme
    sealed: bytes


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """One message with all that its delivery needs, read at the attempt."""

    webhook_id: str
    message_id: str
    type: str
    data: dict[str, Any]
    occurred_at: dt.datetime
    state: MessageState
    url: str
    owner: str
    client_id: str | None
    to_be_told: bool
    """Not disabled, and its administration is active."""
    keys: list[SealedKey]


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """How much at once, and for how long."""

    at_once_max: int
    per_webhook_max: int
    waiting_max: int
    failing_max_s: int
    lease_s: float
