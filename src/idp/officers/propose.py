from uuid import UUID

import msgspec

from idp.clients import register as clients
from idp.clients.schema import ClientRegistration
from idp.officers import store
from idp.officers.schema import Officer, Proposal, Proposals
from idp.registration.parts import Registrar
from kit.audit import AuditEvent
from kit.db import Row, Tx
from kit.errors import NotFound
from kit.ids import new_id

PROPOSAL_LIFETIME_S = 14 * 86_400
PENDING_MAX = 100


async def propose(registrar: Registrar, registration: ClientRegistration, *, officer: Officer) -> Proposal:
    """What could not be registered cannot be proposed either."""
    clients.check_sector(registration.sector)
    await registrar.checked(registration)

    async def once(tx: Tx) -> Proposal:
        row = await store.insert_proposal(
            tx, new_id(), registration, proposed_by=officer.officer_id, lifetime_s=PROPOSAL_LIFETIME_S
        )
        await registrar.audit.append(
            tx,
            AuditEvent(
                action="client.proposed",
                actor_kind="officer",
                actor=officer.officer_id,
                object_id=str(row["proposal_id"]),
                detail={"profile": registration.profile, "sector": registration.sector},
            ),
        )
        return proposal_of(row)

    return await registrar.db.transact(once)


async def find_proposal(tx: Tx, proposal_id: UUID) -> Proposal:
    row = await store.select_proposal(tx, proposal_id)
    if row is None:
        raise NotFound
    return proposal_of(row)


async def pending(tx: Tx) -> Proposals:
    return Proposals([proposal_of(row) for row in await store.select_pending(tx, limit=PENDING_MAX)])


def proposal_of(row: Row) -> Proposal:
    return Proposal(
        proposal_id=row["proposal_id"],
        state=row["state"],
        proposed_by=row["proposed_by"],
        proposed_at=row["proposed_at"],
        expires_at=row["expires_at"],
        decided_by=row["decided_by"],
        client_id=row["client_id"],
        registration=msgspec.convert(row["registration"], ClientRegistration),
    )
