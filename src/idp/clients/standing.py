from collections.abc import Sequence
from typing import Annotated

import msgspec

from idp.clients import store
from idp.clients.schema import Client
from idp.subjects.resolve import NoLegalGround
from kit.db import Tx

_ClientId = Annotated[str, msgspec.Meta(max_length=200)]


class StandingRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    client_ids: Annotated[list[_ClientId], msgspec.Meta(min_length=1, max_length=100)]


class StandingResponse(msgspec.Struct, frozen=True, kw_only=True):
    active: list[str]


async def standing(tx: Tx, client: Client, client_ids: Sequence[str]) -> StandingResponse:
    """Which of them may be told anything: registered here and active. Read anew at each call."""
    if client.legal_ground is None:
        raise NoLegalGround
    return StandingResponse(active=await store.select_active(tx, client_ids))
