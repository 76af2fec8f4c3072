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
    if len(request.purpose) > _PURPOSE_MAX:
        raise Invalid("purpose: too long")

    async def find_and_record(tx: Tx) -> str:
        citizen_id = await _find(tx, request, scopes)
        if citizen_id is None:
            raise UnknownSubject
        sub = pairwise_sub(secrets, sector=client.sector, citizen_id=citizen_id)
        await remember(tx, sector=client.sector, sub=sub, citizen_id=citizen_id)
        await audit.append(
            tx,
            AuditEvent(
                action="subject.resolved",
                actor_kind="client",
                actor=client.client_id,
                owner=str(citizen_id),
                purpose=request.purpose or None,
                detail={"legal_ground": client.legal_ground, "by": "uid" if request.uid is not UNSET else "sub"},
            ),
        )
        return sub

    return ResolveResponse(await db.transact(find_and_record))


async def _find(tx: Tx, request: ResolveRequest, scopes: frozenset[str]) -> UUID | None:
    if isinstance(request.uid, str) and request.sub is UNSET and request.client_id is UNSET:
        if "subjects:resolve" not in scopes:
            raise Forbidden("scope subjects:resolve")
        return await store.select_citizen_by_uid(tx, request.uid)
    if isinstance(request.sub, str) and isinstance(request.client_id, str) and request.uid is UNSET:
        if "subjects:translate" not in scopes:
            raise Forbidden("scope subjects:translate")
        return await store.select_citizen_by_sub(tx, client_id=request.client_id, sub=request.sub)
    raise Invalid("either uid, or sub with client_id")
