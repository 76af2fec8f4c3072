from datetime import datetime
from uuid import UUID

import msgspec


class Consent(msgspec.Struct, frozen=True, kw_only=True):
    consent_id: UUID
    scopes: frozenset[str]
    claims: frozenset[str]
    """Claims that were asked for one by one and given."""
    given_at: datetime
