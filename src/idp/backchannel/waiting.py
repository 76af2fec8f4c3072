"""What waits for a citizen, as its pages show it."""

from collections.abc import Sequence
from uuid import UUID

import msgspec

from idp.authorization.schema import AuthorizationRequest
from idp.backchannel import store
from idp.backchannel.schema import BlockedService, WaitingService
from idp.clients.schema import ClientMetadata
from kit.db import Row, Tx

_SHOWN_MAX = 50


async def waiting_for(tx: Tx, citizen_id: UUID) -> Sequence[WaitingService]:
    """The oldest first."""
    return [_waiting(row) for row in await store.select_of_citizen(tx, citizen_id, count_max=_SHOWN_MAX)]


async def find_waiting(tx: Tx, citizen_id: UUID, request_id: UUID) -> WaitingService | None:
    """None also for somebody else's."""
    row = await store.select_one_of_citizen(tx, citizen_id, request_id)
    return None if row is None else _waiting(row)


async def find_by_digest(tx: Tx, auth_req_id_sha256: bytes) -> WaitingService | None:
    row = await store.select_by_digest(tx, auth_req_id_sha256)
    return None if row is None else _waiting(row)


async def all_waiting(tx: Tx) -> Sequence[WaitingService]:
    """For operators of a deployment that is not in production."""
    return [_waiting(row) for row in await store.select_waiting(tx, count_max=_SHOWN_MAX)]


async def blocked_by(tx: Tx, citizen_id: UUID) -> Sequence[BlockedService]:
    return [
        BlockedService(
            client_id=row["client_id"],
            client_name=msgspec.convert(row["metadata"], ClientMetadata).names(),
            created_at=row["created_at"],
        )
        for row in await store.select_blocked(tx, citizen_id, count_max=_SHOWN_MAX)
    ]


def _waiting(row: Row) -> WaitingService:
    metadata = msgspec.convert(row["metadata"], ClientMetadata)
    return WaitingService(
        request_id=row["request_id"],
        auth_req_id_sha256=row["auth_req_id_sha256"],
        client_id=row["client_id"],
        sector=row["sector"],
        citizen_id=row["citizen_id"],
        client_name=metadata.names(),
        purpose=metadata.purposes(),
        request=msgspec.convert(row["request"], AuthorizationRequest),
        binding_message=row["binding_message"],
        number=row["number"],
        numbers=row["numbers"] or (),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
    )
