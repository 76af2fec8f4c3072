"""A client assertion is good once (RFC 7523 §3, ``jti``)."""

from idp.clients import store
from idp.clients.authenticate import Assertion
from idp.refusals import InvalidClient
from kit.db import Tx


async def spend(tx: Tx, client_id: str, assertion: Assertion | None) -> None:
    """For endpoints that write nothing else; where there is a write, the assertion is spent by the same statement."""
    if assertion is not None and not await store.spend_assertion(
        tx, client_id, jti_sha256=assertion.jti_sha256, expires_at=assertion.expires_at
    ):
        raise InvalidClient("client_assertion: jti was used before")
