from typing import Any
from uuid import UUID

from idp.clients import register as clients
from idp.officers import store
from idp.officers.propose import find_proposal
from idp.officers.refusals import Decided, SamePerson
from idp.officers.schema import Officer
from idp.registration.parts import Registrar
from kit.audit import AuditEvent
from kit.db import Tx


async def approve(registrar: Registrar, proposal_id: UUID, *, officer: Officer) -> dict[str, Any]:
    """The client, registered; a secret, if it has one, exists only in this answer. SamePerson, Decided (A-04)."""
    proposal = await find_proposal(registrar.db, proposal_id)
    if proposal.proposed_by == officer.officer_id:
        raise SamePerson
    if proposal.state != "pending":
        raise Decided
    registration = proposal.registration
    # Again: what its addresses say may have changed in the meantime.
    metadata, logo = await registrar.checked(registration)
    client_id = registration.client_id if isinstance(registration.client_id, str) else clients.new_client_id()

    async def once(tx: Tx) -> str | None:
        secret = await clients.insert(tx, client_id, registration, metadata, logo)
        if not await store.approve(tx, proposal_id, decided_by=officer.officer_id, client_id=client_id):
            raise Decided
        await registrar.audit.append(
            tx,
            AuditEvent(
                action="client.registered",
                actor_kind="officer",
                actor=officer.officer_id,
                object_id=client_id,
                detail={
                    "profile": registration.profile,
                    "sector": registration.sector,
                    "proposal": str(proposal_id),
                    "proposed_by": proposal.proposed_by,
                },
            ),
        )
        return secret

    secret = await registrar.db.transact(once)
    return {
        **clients.in_force(client_id, metadata, secret),
        "profile": registration.profile,
        "sector": registration.sector,
        "legal_ground": registration.legal_ground,
    }


async def refuse(registrar: Registrar, proposal_id: UUID, *, officer: Officer) -> None:
    await find_proposal(registrar.db, proposal_id)

    async def once(tx: Tx) -> None:
        if not await store.refuse(tx, proposal_id, decided_by=officer.officer_id):
            raise Decided
        await registrar.audit.append(
            tx,
            AuditEvent(
                action="client.proposal-refused",
                actor_kind="officer",
                actor=officer.officer_id,
                object_id=str(proposal_id),
            ),
        )

    await registrar.db.transact(once)
