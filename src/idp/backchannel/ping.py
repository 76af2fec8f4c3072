"""Ping clients whose citizen has answered, yes or no (CIBA Core §10.2): by the worker, never from within a request."""

import asyncio
import logging
import random
from collections.abc import Mapping
from http import HTTPStatus
from typing import Protocol

import msgspec

from idp.backchannel import store
from idp.backchannel.sealing import opened
from idp.clients.schema import ClientMetadata
from idp.keys.secrets import Secrets
from kit.db import Database, Row
from kit.outbound.fetch import BUSY, FetchRefused

log = logging.getLogger("khizana.ciba")
_AT_ONCE_MAX = 20
_TRIES_MAX = 6
_LEASE_S = 5


class Posts(Protocol):
    async def post(self, url: str, *, body: bytes, content_type: str, headers: Mapping[str, str] = ...) -> int: ...


async def ping(db: Database, secrets: Secrets, fetcher: Posts) -> int:
    """One round; how many were told. A server that is away is tried again, later each time; one that answers anything
    but a fault has heard us, and a redirect is not followed."""
    due = await store.claim_pings(db, count_max=_AT_ONCE_MAX, tries_max=_TRIES_MAX, lease_s=_LEASE_S)
    return sum(await asyncio.gather(*(_ping(db, secrets, fetcher, row) for row in due)))


async def _ping(db: Database, secrets: Secrets, fetcher: Posts, row: Row) -> bool:
    endpoint = msgspec.convert(row["metadata"], ClientMetadata).backchannel_client_notification_endpoint
    try:
        status = 0 if endpoint is None else await _post(secrets, fetcher, endpoint, row)
    except FetchRefused as refused:
        if refused.reason == BUSY:
            # Nobody was asked: it is no try of the client's.
            after_s = random.uniform(1, 3)  # noqa: S311 - so that those who wait do not come back in step
            await store.put_off_ping(db, row["auth_req_id_sha256"], tries=row["ping_tries"], after_s=after_s)
        else:
            log.warning("a ping was not taken: %s", refused)
        return False
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return False
    await store.finish_ping(db, row["auth_req_id_sha256"])
    return 200 <= status < 300


async def _post(secrets: Secrets, fetcher: Posts, endpoint: str, row: Row) -> int:
    told = opened(secrets, row["notification_sealed"], row["auth_req_id_sha256"])
    return await fetcher.post(
        endpoint,
        body=msgspec.json.encode({"auth_req_id": told.auth_req_id}),
        content_type="application/json",
        headers={"Authorization": f"Bearer {told.token}"},
    )
