from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from kit.jose import PublicKeys

Profile = Literal["wallet", "basic", "fapi2", "fapi2-ms", "machine"]
AuthenticationMethod = Literal["none", "client_secret_basic", "client_secret_post", "private_key_jwt"]
Acr = Literal["low", "substantial", "high"]


class ClientMetadata(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """RFC 7591 §2 and OpenID Connect Dynamic Client Registration §2, as far as they mean something here.

    ``purpose`` says to citizens why the client asks; like ``client_name`` it has a form for each language.
    """

    client_name: str
    client_name_ar: str | None = msgspec.field(default=None, name="client_name#ar")
    client_name_fr: str | None = msgspec.field(default=None, name="client_name#fr")
    client_name_zgh: str | None = msgspec.field(default=None, name="client_name#zgh")
    purpose: str | None = None
    purpose_ar: str | None = msgspec.field(default=None, name="purpose#ar")
    purpose_fr: str | None = msgspec.field(default=None, name="purpose#fr")
    purpose_zgh: str | None = msgspec.field(default=None, name="purpose#zgh")
    client_uri: str | None = None
    policy_uri: str | None = None
    tos_uri: str | None = None
    logo_uri: str | None = None
    contacts: tuple[str, ...] = ()
    application_type: Literal["web", "native"] = "web"
    redirect_uris: tuple[str, ...] = ()
    post_logout_redirect_uris: tuple[str, ...] = ()
    token_endpoint_auth_method: AuthenticationMethod = "client_secret_basic"
    grant_types: tuple[Literal["authorization_code", "refresh_token", "client_credentials"], ...] = (
        "authorization_code",
    )
    response_types: tuple[Literal["code"], ...] = ("code",)
    scope: str = "openid"
    jwks: dict[str, Any] | None = None
    id_token_signed_response_alg: Literal["ES256", "RS256"] = "ES256"
    subject_type: Literal["pairwise"] = "pairwise"
    default_max_age: int | None = None
    require_auth_time: bool = False
    default_acr_values: tuple[Acr, ...] = ("substantial",)
    resource: str | None = None
    """The registered resource whose server this client is: it may introspect the tokens that are for it."""
    software_id: str | None = None
    software_version: str | None = None

    def names(self) -> dict[str, str]:
        """Language → name; ``en`` is the untagged one."""
        return _by_language(self.client_name, self.client_name_ar, self.client_name_fr, self.client_name_zgh)

    def purposes(self) -> dict[str, str]:
        if self.purpose is None:
            return {}
        return _by_language(self.purpose, self.purpose_ar, self.purpose_fr, self.purpose_zgh)

    @property
    def scopes(self) -> frozenset[str]:
        return frozenset(self.scope.split())


def _by_language(en: str, ar: str | None, fr: str | None, zgh: str | None) -> dict[str, str]:
    return {"en": en, "ar": ar or fr or en, "fr": fr or en, "zgh": zgh or fr or en}


class ClientRegistration(ClientMetadata, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an operator hands in: the metadata, and what only an operator decides."""

    profile: Profile
    sector: str
    """Clients of one sector see one ``sub`` for a citizen (OpenID Connect Core §8.1)."""
    legal_ground: str | None = None
    """The text that lets this client ask for the unique identifier or resolve it."""
    client_id: str | UnsetType = UNSET


class Client(msgspec.Struct, frozen=True, kw_only=True):
    client_id: str
    profile: Profile
    sector: str
    legal_ground: str | None
    state: Literal["active", "disabled"]
    metadata: ClientMetadata
    secret_sha256: bytes | None
    revision: int
    keys: PublicKeys | None
    """Parsed once a revision."""

    @property
    def public(self) -> bool:
        return self.metadata.token_endpoint_auth_method == "none"
