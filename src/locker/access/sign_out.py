"""End our session, and hand the browser to the provider to end its own."""

from urllib.parse import urlencode

from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx
from kit.errors import Unavailable
from locker.access import store
from locker.access.provider import Provider
from locker.access.schema import Citizen


async def sign_out(
    db: Database,
    provider: Provider,
    audit: Audit,
    citizen: Citizen,
    *,
    post_logout_redirect_uri: str,
    ui_locales: str,
) -> str:
    """Where the browser goes next (OpenID Connect RP-Initiated Logout §2): home, if the provider is away."""

    async def end(tx: Tx) -> None:
        if await store.end_session(tx, session_sha256=citizen.session_sha256):
            await audit.append(
                tx,
                AuditEvent(action="session.ended", actor_kind="citizen", actor=citizen.owner, owner=citizen.owner),
            )

    await db.transact(end)
    try:
        endpoint = (await provider.metadata()).end_session_endpoint
    except Unavailable:
        endpoint = None
    if endpoint is None:
        return post_logout_redirect_uri
    query = urlencode(
        {
            "id_token_hint": citizen.id_token,
            "client_id": provider.client_id,
            "post_logout_redirect_uri": post_logout_redirect_uri,
            "ui_locales": ui_locales,
        }
    )
    return f"{endpoint}?{query}"
