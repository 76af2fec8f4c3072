from uuid import UUID

import msgspec

from idp.clients.schema import Acr, Profile


class Invitation(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator allowed the holder of an initial access token to register."""

    invitation_id: UUID
    profile: Profile
    sector: str | None
    """None: of the client's own hosts (OpenID Connect Core §8.1)."""
    scopes: tuple[str, ...]
    acr: Acr
    """The lowest level at which these clients may have a citizen signed in."""
