import datetime as dt
from collections.abc import Sequence
from uuid import UUID

import msgspec

from idp.authorization.details import LockerDocument
from idp.clients.schema import ClientMetadata
from idp.consents import store
from idp.consents.released import SCOPE_LABELS, DocumentsAsked, claim_labels, documents_asked
from idp.freezing.frozen import frozen_of
from idp.releases.last import last_releases
from kit.db import Row, Tx
from kit.i18n import Message


class ConnectedService(msgspec.Struct, frozen=True, kw_only=True):
    consent_id: UUID
    client_id: str
    name: str
    home: str | None
    """Its ``client_uri``."""
    labels: Sequence[Message]
    """What it may have and do."""
    documents: Sequence[DocumentsAsked]
    """What it may still have of the locker."""
    given_at: dt.datetime
    used_at: dt.datetime | None
    """When it last read something."""
    is_frozen: bool


async def connected_services(tx: Tx, citizen_id: UUID, language: str) -> Sequence[ConnectedService]:
    """Whom the citizen has let in, the latest first."""
    used = await last_releases(tx, citizen_id)
    frozen = {held.name for held in await frozen_of(tx, citizen_id) if held.kind == "service"}
    today = dt.datetime.now(dt.UTC).date()
    return [
        _connected(row, language, today, used_at=used.get(row["client_id"]), is_frozen=row["client_id"] in frozen)
        for row in await store.select_of_citizen(tx, citizen_id)
    ]


def _connected(
    row: Row, language: str, today: dt.date, *, used_at: dt.datetime | None, is_frozen: bool
) -> ConnectedService:
    client = msgspec.convert(row["metadata"], ClientMetadata)
    lasting = [detail for detail in _details(row) if detail.until and detail.until >= today]
    return ConnectedService(
        consent_id=row["consent_id"],
        client_id=row["client_id"],
        name=client.names()[language],
        home=client.client_uri,
        labels=_labels(row["scopes"], row["claims"]),
        documents=documents_asked(lasting, {}),
        given_at=row["given_at"],
        used_at=used_at,
        is_frozen=is_frozen,
    )


def _details(row: Row) -> tuple[LockerDocument, ...]:
    details: tuple[LockerDocument, ...] = msgspec.convert(row["authorization_details"], tuple[LockerDocument, ...])
    return details


def _labels(scopes: Sequence[str], claims: Sequence[str]) -> list[Message]:
    return claim_labels(scopes, claims) + [SCOPE_LABELS[scope] for scope in scopes if scope in SCOPE_LABELS]


async def ended_at(tx: Tx, consent_id: UUID, citizen_id: UUID) -> dt.datetime | None:
    """When this citizen ended this connection."""
    return await store.select_ended_at(tx, consent_id=consent_id, citizen_id=citizen_id)
