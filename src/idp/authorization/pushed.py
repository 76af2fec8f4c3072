import msgspec

from idp.authorization import store
from idp.authorization.refusals import InvalidRequestUri, UnknownClient
from idp.authorization.schema import AuthorizationRequest
from idp.clients.may_redirect import may_redirect
from idp.clients.registry import ClientRegistry
from idp.clients.schema import Client
from kit.db import Tx
from kit.tokens import digest

PUSHED = "urn:ietf:params:oauth:request_uri:"
_HANDLE_MAX = 128


class Pushed(msgspec.Struct, frozen=True, kw_only=True):
    client: Client
    request: AuthorizationRequest


async def pushed(tx: Tx, clients: ClientRegistry, *, client_id: str, request_uri: str) -> Pushed:
    """What this client pushed under ``request_uri``: not used yet, not expired, and still allowed to come back.

    Every parameter beside these two is none of the request's (RFC 9126 §4). Reading does not spend it: a page that is
    loaded again, or by a scanner of links, must not end a sign-in (FAPI 2.0 Security Profile §5.3.2.2).
    """
    request_uri_sha256 = digest(request_uri)
    row = await store.select_pushed(
        tx,
        client_id,
        known_revision=clients.known_revision(client_id),
        request_uri_sha256=request_uri_sha256,
    )
    client = clients.client(row) if row else None
    if row is None or client is None or client.state != "active":
        raise UnknownClient
    if row["request"] is None or len(request_uri) > _HANDLE_MAX:
        raise InvalidRequestUri
    request = msgspec.convert(row["request"], AuthorizationRequest)
    if not may_redirect(client, request.redirect_uri):
        raise InvalidRequestUri
    return Pushed(client=client, request=msgspec.structs.replace(request, request_uri_sha256=request_uri_sha256))
