import datetime as dt
from collections.abc import Mapping, Sequence
from uuid import UUID

import msgspec

from idp.authorization.schema import AuthorizationRequest
from idp.keys.secrets import Secrets
from idp.messages.post import Post
from kit.audit import Audit
from kit.db import Database
from kit.throttle import Throttle

GRANT_TYPE = "urn:openid:params:grant-type:ciba"
LIFETIME_S = 300
LIFETIME_MAX_S = 600
INTERVAL_S = 5


class Backchannel(msgspec.Struct, frozen=True, kw_only=True):
    """The parts that the steps of this flow share."""

    db: Database
    audit: Audit
    throttle: Throttle
    secrets: Secrets
    post: Post
    issuer: str
    unthrottled_uids: frozenset[str]


class BackchannelAuthenticationResponse(msgspec.Struct, frozen=True, kw_only=True):
    """CIBA Core §7.3, and ``number_to_match``: two digits for the service to show where it sent no binding_message."""

    auth_req_id: str
    expires_in: int
    interval: int
    number_to_match: str | msgspec.UnsetType = msgspec.UNSET


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """What a client asks, checked."""

    request: AuthorizationRequest
    binding_message: str | None
    lifetime_s: int
    notification_token: str | None


class WaitingService(msgspec.Struct, frozen=True, kw_only=True):
    """A request that its citizen has not answered yet."""

    request_id: UUID
    auth_req_id_sha256: bytes
    client_id: str
    sector: str
    citizen_id: UUID
    client_name: Mapping[str, str]
    purpose: Mapping[str, str]
    request: AuthorizationRequest
    binding_message: str | None
    number: int | None
    numbers: Sequence[int]
    created_at: dt.datetime
    expires_at: dt.datetime


class BlockedService(msgspec.Struct, frozen=True, kw_only=True):
    client_id: str
    client_name: Mapping[str, str]
    created_at: dt.datetime


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What is sealed for a ping: which request has its answer, and the client's own proof that we say so."""

    auth_req_id: str
    token: str
