"""A client that waits for a citizen comes for its tokens, again and again until there is an answer (RFC 8628 §3.4,
CIBA Core §10.1): what the two grants of that kind share."""

from collections.abc import Awaitable, Callable, Sequence
from typing import NoReturn

import msgspec

from idp.authorization.schema import Kind
from idp.clients.authenticate import authenticate
from idp.clients.schema import Client, GrantType
from idp.clients.spend import once, refuse_repeated
from idp.clients.store import Seen
from idp.refusals import InvalidGrant, InvalidRequest, UnauthorizedClient
from idp.token import store
from idp.token.binding import Binding, binding_of
from idp.token.first_tokens import first_tokens
from idp.token.grants import TokenEndpoint, TokenRequest
from idp.token.refusals import AccessDenied, AuthorizationPending, ExpiredToken, SlowDown
from idp.token.schema import Grant, TokenResponse
from kit.db import Row, Tx
from kit.tokens import digest

Poll = Callable[[Tx, bytes, str, Sequence[Seen]], Awaitable[tuple[Sequence[bytes], str]]]
"""Digest of what the client waits with, client_id, what it proves itself with; which of those were fresh, and how it
stands: ``unknown``, ``expired``, ``denied``, ``pending`` or ``too-fast``."""


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    grant_type: GrantType
    kind: Kind
    parameter: str
    poll: Poll
    bound: bool
    """Bearer tokens are not given (FAPI-CIBA §5.2.2)."""


async def redeem(endpoint: TokenEndpoint, request: TokenRequest, flow: Flow) -> TokenResponse:
    waiting = request.parameters.get(flow.parameter)
    if waiting is None:
        raise InvalidRequest(f"{flow.parameter} is missing")
    waiting_sha256 = digest(waiting)
    client_id = request.credentials.client_id
    row = await store.prefetch_code(
        endpoint.db,
        client_id,
        known_revision=endpoint.clients.known_revision(client_id),
        code_sha256=waiting_sha256,
        kind=flow.kind,
    )
    client = endpoint.clients.client(row) if row else None
    assertion = await authenticate(endpoint.client_authentication, client, request.credentials, path="/token")
    assert client is not None
    assert row is not None
    if flow.grant_type not in client.metadata.grant_types:
        raise UnauthorizedClient
    binding = _binding(client, request, flow)
    shown = once(assertion, request.proof)
    if row["code_client_id"] is None:
        fresh, state = await flow.poll(endpoint.db, waiting_sha256, client_id, shown)
        refuse_repeated(shown, fresh)
        _not_yet(state)
    grant = _checked(row, client_id)
    tokens = await first_tokens(
        endpoint,
        request,
        client,
        row,
        grant,
        kind=flow.kind,
        code_sha256=waiting_sha256,
        once=shown,
        binding=binding,
    )
    if tokens is None:
        # Two polls at once: the other one has the tokens, and they stay good.
        raise InvalidGrant
    return tokens


def _binding(client: Client, request: TokenRequest, flow: Flow) -> Binding:
    binding = binding_of(client, request.proof, request.credentials.certificate)
    if flow.bound and not binding.cnf():
        raise InvalidRequest("the token must be bound to a key or a certificate")
    return binding


def _not_yet(state: str) -> NoReturn:
    match state:
        case "pending":
            raise AuthorizationPending
        case "too-fast":
            raise SlowDown
        case "denied":
            raise AccessDenied
        case "expired":
            raise ExpiredToken
        case _:
            raise InvalidGrant


def _checked(row: Row, client_id: str) -> Grant:
    """Whoever else holds it learns nothing and burns nothing: the client may still be polling with it."""
    if row["code_client_id"] != client_id or row["consumed"]:
        raise InvalidGrant
    if row["expired"]:
        raise ExpiredToken
    if not row["consent_live"]:
        raise InvalidGrant
    return Grant.of(row, client_id=client_id, nonce=None)
