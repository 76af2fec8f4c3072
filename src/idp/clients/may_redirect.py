"""Where a client's citizens may be sent back to."""

import re

from idp.clients.schema import Client

_LOOPBACK = re.compile(r"(http://(?:127\.0\.0\.1|\[::1\]))(?::([1-9][0-9]{0,4}))?((?:[/?].*)?)")
_PORT_MAX = 65_535


def may_redirect(client: Client, redirect_uri: str | None) -> bool:
    """Is it a registered one, letter by letter (RFC 9700 §2.1)? To a native app on a loopback address at whichever
    port it listens (RFC 8252 §7.3); the name localhost may lead elsewhere, and is compared with its port (§8.3)."""
    registered = client.metadata.redirect_uris
    if redirect_uri is None or redirect_uri in registered:
        return redirect_uri is not None
    if not client.public or (client.profile != "wallet" and client.metadata.application_type != "native"):
        return False
    asked = _without_port(redirect_uri)
    return asked is not None and asked in map(_without_port, registered)


def _without_port(redirect_uri: str) -> str | None:
    found = _LOOPBACK.fullmatch(redirect_uri)
    if found is None or int(found[2] or 80) > _PORT_MAX:
        return None
    return found[1] + found[3]
