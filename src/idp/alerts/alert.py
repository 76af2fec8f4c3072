import hashlib
import hmac
import ipaddress
from uuid import UUID

from idp.alerts import store
from idp.alerts.notices import new_sign_in
from idp.citizens.find import find_citizen
from idp.keys.secrets import Secrets
from idp.messages.post import Post
from kit.db import Tx
from kit.i18n import Locale
from kit.tokens import digest, new_token

LINK_LIFETIME_S = 7 * 86_400


async def alert_if_new(
    tx: Tx,
    secrets: Secrets,
    post: Post,
    *,
    origin: str,
    citizen_id: UUID,
    sid: str,
    browser_label: str,
    address_prefix: str,
) -> None:
    """Tell the citizen, at every contact point, of a session in a kind of browser or in a network not seen before.

    ``origin`` is the configured one: a link never leads where a request's Host says (L-21).
    """
    if not await store.know(tx, citizen_id, _browser_mac(secrets, citizen_id, browser_label, address_prefix)):
        return
    citizen = await find_citizen(tx, citizen_id)
    if citizen is None:
        return
    token = new_token()
    await store.insert(tx, digest(token), citizen_id=citizen_id, sid=sid, lifetime_s=LINK_LIFETIME_S)
    await post.tell(
        tx,
        citizen_id=citizen_id,
        claims=citizen.claims,
        notice=new_sign_in(browser_label, link=f"{origin}/idp/not-me?token={token}"),
        locale=Locale(citizen.locale),
    )


def _browser_mac(secrets: Secrets, citizen_id: UUID, browser_label: str, address_prefix: str) -> bytes:
    message = f"{citizen_id}|{browser_label}|{network_of(address_prefix)}"
    return hmac.new(secrets.derive("known-browser"), message.encode(), hashlib.sha256).digest()


def network_of(address_prefix: str) -> str:
    """Wide enough that a phone that moves through its operator's addresses stays known."""
    try:
        network = ipaddress.ip_network(address_prefix, strict=False)
    except ValueError:
        return address_prefix
    return str(network.supernet(new_prefix=16 if network.version == 4 else 32))
