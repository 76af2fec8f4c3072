from datetime import datetime

import msgspec


class ReferenceMessage(msgspec.Struct, frozen=True, kw_only=True):
    """Of a document that its issuer keeps."""

    confirmed_at: datetime
    """When the issuer last served it as it was deposited."""
    age_s: int
    fresh: bool
    """False: it is fetched again before it is shown."""
    failure: str | None
    """Why the last try failed, if it did: ``issuer-away``, ``not-as-deposited`` or ``not-judged-now``."""
    copied_at: datetime | None
    """Since when the citizen keeps a copy; the issuer is then not asked any more."""
