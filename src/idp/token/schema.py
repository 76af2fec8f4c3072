from datetime import datetime
from uuid import UUID

import msgspec

from idp.authorization.schema import ClaimsRequest


class TokenResponse(msgspec.Struct, frozen=True, kw_only=True):
    """RFC 6749 §5.1, OpenID Connect Core §3.1.3.3. Members that do not apply are absent."""

    access_token: str
    token_type: str
    expires_in: int
    scope: str
    refresh_token: str | msgspec.UnsetType = msgspec.UNSET
    id_token: str | msgspec.UnsetType = msgspec.UNSET


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """What a citizen's tokens are made of: from a code or from its family."""

    family_id: UUID
    client_id: str
    citizen_id: UUID
    sub: str
    sid: str
    scopes: frozenset[str]
    claims: ClaimsRequest
    resource: str | None
    nonce: str | None
    auth_time: datetime
    acr: str
    amr: tuple[str, ...]
