import msgspec

from idp.clients.logo import Logo
from idp.clients.register import checked
from idp.clients.schema import ClientMetadata, ClientRegistration
from idp.keys.ring import KeyRing
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
    keys: KeyRing

    async def checked(self, registration: ClientRegistration) -> tuple[ClientMetadata, Logo | None]:
        """As ``clients.register.checked``, by what is set and which keys there are now."""
        return await checked(
            self.db,
            registration,
            production=self.production,
            fetcher=self.fetcher,
            signs_with=self.keys.current().algorithms(),
        )
