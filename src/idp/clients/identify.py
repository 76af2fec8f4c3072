"""A client at an endpoint other than token: fetched, authenticated, its assertion spent."""

from collections.abc import Mapping

from idp.clients.authenticate import ClientAuthentication, authenticate, credentials_of
from idp.clients.schema import Client
from idp.clients.spend import spend
from idp.parameters import Parameters
from kit.dpop import Proof


async def identify(
    parts: ClientAuthentication,
    headers: Mapping[str, str],
    parameters: Parameters,
    *,
    path: str,
    proof: Proof | None = None,
) -> Client:
    """``path`` is the endpoint's, below the issuer: ``/introspect``. ``proof`` is spent with the assertion."""
    credentials = credentials_of(headers, parameters)
    client = await parts.find(credentials.client_id)
    assertion = await authenticate(parts, client, credentials, path=path)
    assert client is not None
    await spend(parts.db, assertion, proof)
    return client
