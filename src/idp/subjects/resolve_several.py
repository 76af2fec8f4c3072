"""The same way for many at once: one transaction, and each citizen sees its own line as if it had been asked alone."""

from collections.abc import Sequence
from uuid import UUID

from msgspec import UNSET

from idp.clients.schema import Client
from idp.keys.secrets import Secrets
from idp.subjects import store
from idp.subjects.pairwise import pairwise_sub
from idp.subjects.resolve import NoLegalGround, UnknownSubject, check, event
from idp.subjects.schema import OneOfSeveral, ResolveRequest, ResolveSeveralResponse
from kit.audit import Audit
from kit.db import Database, Tx


async def resolve_several(
    db: Database,
    audit: Audit,
    secrets: Secrets,
    client: Client,
    requests: Sequence[ResolveRequest],
    *,
    scopes: frozenset[str],
) -> ResolveSeveralResponse:
    """In the order of ``requests``; an unknown one is said in its place. What is not allowed or not well-formed refuses
    all."""
    if client.legal_ground is None:
        raise NoLegalGround
    for request in requests:
        check(request, scopes)

    async def find_and_record(tx: Tx) -> ResolveSeveralResponse:
        found = await _find(tx, requests)
        subs = {
            citizen_id: pairwise_sub(secrets, sector=client.sector, citizen_id=citizen_id)
            for citizen_id in {one[0] for one in found if one is not None}
        }
        if subs:
            await store.insert_several(tx, sector=client.sector, subs=subs)
            events = [
                event(client, request, one[0]) for request, one in zip(requests, found, strict=True) if one is not None
            ]
            await audit.append_several(tx, events)
        return ResolveSeveralResponse(
            [
                OneOfSeveral(error=UnknownSubject.code)
                if one is None
                else OneOfSeveral(sub=subs[one[0]], dormant=one[1] or UNSET)
                for one in found
            ]
        )

    return await db.transact(find_and_record)


async def _find(tx: Tx, requests: Sequence[ResolveRequest]) -> list[tuple[UUID, bool] | None]:
    by_uid = await store.select_citizens_by_uids(tx, [one.uid for one in requests if one.uid is not UNSET])
    by_sub = await store.select_citizens_by_subs(
        tx, [(one.client_id, one.sub) for one in requests if one.sub is not UNSET and one.client_id is not UNSET]
    )
    return [
        by_uid.get(one.uid) if one.uid is not UNSET else by_sub.get((str(one.client_id), str(one.sub)))
        for one in requests
    ]
