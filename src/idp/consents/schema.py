from datetime import datetime
from uuid import UUID

import msgspec

from idp.authorization.details import LockerDocument


class Consent(msgspec.Struct, frozen=True, kw_only=True):
    consent_id: UUID
    scopes: frozenset[str]
    claims: frozenset[str]
    """Claims that were asked for one by one and given."""
    authorization_details: tuple[LockerDocument, ...] = ()
    given_at: datetime
