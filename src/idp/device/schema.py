import datetime as dt

import msgspec

from idp.authorization.schema import AuthorizationRequest
from idp.keys.secrets import Secrets
from kit.audit import Audit
from kit.db import Database
from kit.throttle import Throttle

LIFETIME_S = 600
INTERVAL_S = 5


class Devices(msgspec.Struct, frozen=True, kw_only=True):
    """The parts that the steps of this flow share."""

    db: Database
    audit: Audit
    throttle: Throttle
    secrets: Secrets
    issuer: str


class DeviceAuthorizationResponse(msgspec.Struct, frozen=True, kw_only=True):
    """RFC 8628 §3.2"""

    device_code: str
    user_code: str
    verification_uri: str
    verification_uri_complete: str
    expires_in: int
    interval: int


class WaitingDevice(msgspec.Struct, frozen=True, kw_only=True):
    """A request that no citizen has answered yet."""

    device_code_sha256: bytes
    client_id: str
    user_code: str
    request: AuthorizationRequest
    created_at: dt.datetime
