import datetime as dt
from typing import Literal

import msgspec

from idp.messages.post import Post
from kit.audit import Audit

Kind = Literal["service", "authenticator"]


class Freezing(msgspec.Struct, frozen=True, kw_only=True):
    """The parts that freezing and thawing share."""

    audit: Audit
    post: Post


class Service(msgspec.Struct, frozen=True):
    client_id: str


class Authenticator(msgspec.Struct, frozen=True):
    name: str
    """``password``, ``totp``, ``code``, ``recovery``, or ``passkey:`` and its id."""


class Identity(msgspec.Struct, frozen=True):
    """Everything: nobody signs in, and what was given before is dead."""


Target = Service | Authenticator | Identity


class Frozen(msgspec.Struct, frozen=True, kw_only=True):
    kind: Kind
    name: str
    frozen_at: dt.datetime


class Opened(msgspec.Struct, frozen=True):
    """The identity is active again."""


class Waiting(msgspec.Struct, frozen=True):
    """It was asked for; nothing opens before this moment."""

    opens_at: dt.datetime


class DeskOnly(msgspec.Struct, frozen=True):
    """The citizen said that it was somebody else who asked: from now on only a desk opens it."""
