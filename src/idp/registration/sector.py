from urllib.parse import urlsplit

from idp.clients.schema import ClientMetadata

_BY_BROWSER = frozenset({"authorization_code", "refresh_token"})


def sector_of(metadata: ClientMetadata, client_id: str) -> str:
    """In whose sector a client is that registered itself (OpenID Connect Core §8.1).

    The colon keeps these apart from every sector that an operator names. A host is shared only by clients whose answers
    all arrive at hosts that vouch for each other: with a private-use scheme, a loopback address, or a grant that needs
    no redirection, a client could name somebody else's host and see citizens by the identifiers of that host. It is a
    sector of its own, and so is one with several hosts that no ``sector_identifier_uri`` holds together.
    """
    uris = [urlsplit(uri) for uri in metadata.redirect_uris]
    if not set(metadata.grant_types) <= _BY_BROWSER or any(uri.scheme != "https" for uri in uris):
        return f"client:{client_id}"
    if metadata.sector_identifier_uri is not None:
        return f"host:{urlsplit(metadata.sector_identifier_uri).hostname}"
    hosts = {uri.hostname for uri in uris}
    return f"host:{hosts.pop()}" if len(hosts) == 1 else f"client:{client_id}"
