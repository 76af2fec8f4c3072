import datetime as dt
from typing import Any, Literal
from uuid import UUID

import msgspec

from idp.clients.schema import ClientRegistration
from kit.jose import PublicKeys

Ability = Literal["clients", "citizens"]


class Officer(msgspec.Struct, frozen=True, kw_only=True):
    officer_id: str
    abilities: frozenset[Ability]
    keys: PublicKeys


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """A client that somebody wants to register; ``client_id`` is there once it is approved."""

    proposal_id: UUID
    state: Literal["pending", "approved", "refused"]
    proposed_by: str
    proposed_at: dt.datetime
    expires_at: dt.datetime
    decided_by: str | None
    client_id: str | None
    registration: ClientRegistration


class Proposals(msgspec.Struct, frozen=True):
    proposals: list[Proposal]


class LookUp(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    uid: str
    reason: str
    """Why: the citizen reads it."""


class CitizenSeen(msgspec.Struct, frozen=True, kw_only=True):
    uid: str
    state: str
    proofing: str
    locale: str
    claims: dict[str, Any]
