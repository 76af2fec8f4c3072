"""What a relying party asks for at the end_session_endpoint (RP-Initiated Logout §2, §3)."""

from urllib.parse import quote, urlsplit

import msgspec

from idp.authorization.hints import hint_claims
from idp.clients.find import find_client
from idp.clients.registry import ClientRegistry
from idp.keys.secrets import Secrets
from idp.parameters import Parameters
from idp.sessions.schema import Session
from idp.sessions.sid import sid_at
from idp.subjects.pairwise import pairwise_sub
from kit.db import Tx
from kit.jose import KeySet, TokenRefused


class LogoutRequest(msgspec.Struct, frozen=True, kw_only=True):
    target: str | None = None
    """Where to go afterwards; None where nothing registered was named."""
    sure: bool = False
    """The hint is an ID token of this very session, or of its citizen: nobody need be asked."""
    wrong: str | None = None
    """The parameter that cannot be accepted: then nothing is redirected and nothing ends unasked."""


async def understand(
    tx: Tx,
    parameters: Parameters,
    *,
    session: Session | None,
    clients: ClientRegistry,
    secrets: Secrets,
    keys: KeySet,
    issuer: str,
) -> LogoutRequest:
    hint, client_id = parameters.get("id_token_hint"), parameters.get("client_id")
    sub, sid = None, None
    if hint is not None:
        try:
            claims = hint_claims(hint, client_id, issuer=issuer, keys=keys)
        except TokenRefused:
            return LogoutRequest(wrong="id_token_hint")
        sub, sid, client_id = str(claims["sub"]), claims.get("sid"), str(claims["aud"])
    if client_id is None:
        # Nobody says whose address it is, so it is none: ask, and go nowhere.
        return LogoutRequest()
    client = await find_client(tx, clients, client_id)
    if client is None or client.state != "active":
        return LogoutRequest(wrong="id_token_hint" if hint is not None else "client_id")
    target = parameters.get("post_logout_redirect_uri")
    if target is not None and target not in client.metadata.post_logout_redirect_uris:
        return LogoutRequest(wrong="post_logout_redirect_uri")
    if target is not None and "state" in parameters:
        joint = "&" if urlsplit(target).query else "?"
        target = f"{target}{joint}state={quote(parameters['state'], safe='')}"
    if session is None:
        # Nobody is there to confirm it, so only the hint can vouch for the request (§3).
        return LogoutRequest(target=target if hint is not None else None)
    theirs = hint is not None and (
        sid == sid_at(session.sid, client_id)
        or sub == pairwise_sub(secrets, sector=client.sector, citizen_id=session.citizen_id)
    )
    return LogoutRequest(target=target, sure=theirs)
