import datetime as dt
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from idp.citizens.schema import Proofing
from idp.messages.post import Post
from kit.audit import Audit

Kind = Literal["proxy", "guardian"]
LIFETIME_MAX_DAYS = 5 * 366
CLIENTS_MAX = 50


class Mandate(msgspec.Struct, frozen=True, kw_only=True):
    """One that stands now, for one request."""

    mandate_id: UUID
    represented_id: UUID
    actor_id: UUID
    kind: Kind
    scopes: tuple[str, ...] | None
    claims: Mapping[str, Any]
    """Of the represented: for their name on the page."""
    uid: str
    proofing: Proofing


class MandateLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the page, or of ``mandate list``; names are of the other person."""

    mandate_id: UUID
    kind: Kind
    represented_uid: str
    actor_uid: str
    mine: bool
    """The reader is the represented."""
    other_claims: Mapping[str, Any]
    clients: tuple[str, ...] | None
    scopes: tuple[str, ...] | None
    valid_from: dt.datetime
    valid_until: dt.datetime
    accepted_at: dt.datetime | None
    legal_reference: str | None

    @property
    def last_day(self) -> dt.datetime:
        """``valid_until`` is the moment after it."""
        return self.valid_until - dt.timedelta(seconds=1)


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an officer records; people are named by their unique identifiers."""

    represented: str
    actor: str
    kind: Kind
    legal_reference: Annotated[str, Meta(min_length=3, max_length=200)]
    clients: Annotated[tuple[str, ...], Meta(min_length=1, max_length=CLIENTS_MAX)] | UnsetType = UNSET
    scopes: Annotated[tuple[str, ...], Meta(min_length=1, max_length=CLIENTS_MAX)] | UnsetType = UNSET
    valid_from: dt.date | UnsetType = UNSET
    valid_until: dt.date | UnsetType = UNSET
    """The last day. A guardian's mandate ends with majority at the latest, and needs none."""


class Mandating(msgspec.Struct, frozen=True, kw_only=True):
    """The parts that the actions share."""

    audit: Audit
    post: Post
