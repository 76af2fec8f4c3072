from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from idp.authorization.schema import ClaimsRequest
from kit.db import Row


class TokenResponse(msgspec.Struct, frozen=True, kw_only=True):
    """RFC 6749 §5.1, OpenID Connect Core §3.1.3.3. Members that do not apply are absent."""

    access_token: str
    token_type: str
    expires_in: int
    scope: str
    refresh_token: str | msgspec.UnsetType = msgspec.UNSET
    id_token: str | msgspec.UnsetType = msgspec.UNSET
    issued_token_type: str | msgspec.UnsetType = msgspec.UNSET
    """RFC 8693 §2.2.1"""
    authorization_details: tuple[dict[str, Any], ...] | msgspec.UnsetType = msgspec.UNSET
    """RFC 9396 §7: as they were granted."""


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
    authorization_details: tuple[dict[str, Any], ...] = ()
    actor_citizen_id: UUID | None = None
    """Who signed in, where that is not the citizen whom the tokens are about."""
    mandate_id: UUID | None = None

    @classmethod
    def of(cls, row: Row, *, client_id: str, nonce: str | None) -> "Grant":
        """From a row of a code or of its family: they name their columns alike."""
        return cls(
            family_id=row["family_id"],
            client_id=client_id,
            citizen_id=row["citizen_id"],
            sub=row["sub"],
            sid=row["sid"],
            scopes=frozenset(row["scopes"]),
            claims=msgspec.convert(row["claims"], ClaimsRequest),
            resource=row["resource"],
            nonce=nonce,
            auth_time=row["auth_time"],
            acr=row["acr"],
            amr=tuple(row["amr"]),
            authorization_details=tuple(row["authorization_details"]),
            actor_citizen_id=row["actor_citizen_id"],
            mandate_id=row["mandate_id"],
        )
