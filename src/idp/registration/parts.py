import msgspec

from idp.outbound.fetch import Fetcher
from kit.audit import Audit
from kit.db import Database


class Registrar(msgspec.Struct, frozen=True, kw_only=True):
    """The parts that registering and managing share."""

    db: Database
    audit: Audit
    fetcher: Fetcher
    issuer: str
    production: bool
