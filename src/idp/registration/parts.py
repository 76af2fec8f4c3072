import msgspec

from kit.audit import Audit
from kit.db import Database
from kit.outbound.fetch import Fetcher


class Registrar(msgspec.Struct, frozen=True, kw_only=True):
    """The parts that registering and managing share."""

    db: Database
    audit: Audit
    fetcher: Fetcher
    issuer: str
    production: bool
