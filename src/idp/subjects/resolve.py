"""The lawful way from an identifier to the caller's own ``sub``. The citizen sees each call."""

from uuid import UUID

from msgspec import UNSET

from idp.clients.schema import Client
from idp.keys.secrets import Secrets
from idp.subjects import store
from idp.subjects.pairwise import pairwise_sub
from idp.subjects.remember import remember
from idp.subjects.schema import ResolveRequest, ResolveResponse
from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx
from kit.errors import Forbidden, Invalid, Refusal

_PURPOSE_MAX = 200


class UnknownSubject(Refusal):
    """Also for the dead: who asks learns nothing more than that no document can be given to this person."""

    code, status, title = "unknown-subject", 404, "There is no such citizen."


class NoLegalGround(Forbidden):
    code, title = "no-legal-ground", "This client has no registered legal ground to resolve identifiers."


async def resolve(
    db: Database, audit: Audit, secrets: Secrets, client: Client, request: ResolveRequest, *, scopes: frozenset[str]
) -> ResolveResponse:
    if client.legal_ground is None:
        raise NoLegalGround
    check(request, scopes)

    async def find_and_record(tx: Tx) -> str:
        citizen_id = await _find(tx, request)
        if citizen_id is None:
            raise UnknownSubject
        sub = pairwise_sub(secrets, sector=client.sector, citizen_id=citizen_id)
        await remember(tx, sector=client.sector, sub=sub, citizen_id=citizen_id)
        await audit.append(tx, event(client, request, citizen_id))
        return sub

    return ResolveResponse(await db.transact(find_and_record))


def check(request: ResolveRequest, scopes: frozenset[str]) -> None:
    """Well-formed, and within what the token may ask."""
    if len(request.purpose) > _PURPOSE_MAX:
        raise Invalid("purpose: too long")
    if request.uid is not UNSET and request.sub is UNSET and request.client_id is UNSET:
        needed = "subjects:resolve"
    elif request.sub is not UNSET and request.client_id is not UNSET and request.uid is UNSET:
        needed = "subjects:translate"
    else:
        raise Invalid("either uid, or sub with client_id")
    if needed not in scopes:
        raise Forbidden(f"scope {needed}")


def event(client: Client, request: ResolveRequest, citizen_id: UUID) -> AuditEvent:
    """What the citizen sees of it."""
    return AuditEvent(
        action="subject.resolved",
        actor_kind="client",
        actor=client.client_id,
        owner=str(citizen_id),
        purpose=request.purpose or None,
        detail={"legal_ground": client.legal_ground, "by": "uid" if request.uid is not UNSET else "sub"},
    )


async def _find(tx: Tx, request: ResolveRequest) -> UUID | None:
    if request.uid is not UNSET:
        return await store.select_citizen_by_uid(tx, request.uid)
    return await store.select_citizen_by_sub(tx, client_id=str(request.client_id), sub=str(request.sub))
