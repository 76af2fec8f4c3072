from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from kit.jose import Algorithm, PublicKeys

Profile = Literal["wallet", "basic", "fapi2", "fapi2-ms", "machine"]
SENDER_CONSTRAINED: frozenset[Profile] = frozenset({"wallet", "fapi2", "fapi2-ms", "machine"})
"""Profiles whose tokens are good only together with a key or a certificate."""
ALGORITHMS_OF_PROFILE: dict[Profile, tuple[Algorithm, ...]] = {
    "wallet": ("ES256", "EdDSA"),
    "basic": ("RS256", "ES256", "PS256", "EdDSA"),
    # FAPI 2.0 Security Profile §5.4.1: nothing with PKCS #1 v1.5.
    "fapi2": ("ES256", "PS256", "EdDSA"),
    "fapi2-ms": ("ES256", "PS256", "EdDSA"),
    "machine": ("ES256", "PS256", "EdDSA"),
}
"""What a client of the profile may sign with, and have signed for it."""
AuthenticationMethod = Literal[
    "none",
    "client_secret_basic",
    "client_secret_post",
    "private_key_jwt",
    "tls_client_auth",
    "self_signed_tls_client_auth",
]
CIBA = "urn:openid:params:grant-type:ciba"
GrantType = Literal[
    "authorization_code",
    "refresh_token",
    "client_credentials",
    "urn:ietf:params:oauth:grant-type:device_code",
    "urn:openid:params:grant-type:ciba",
    "urn:ietf:params:oauth:grant-type:token-exchange",
]
EncryptionAlg = Literal["RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A256KW"]
EncryptionEnc = Literal["A256GCM", "A128GCM", "A128CBC-HS256"]
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
    token_endpoint_auth_signing_alg: Algorithm | None = None
    # RFC 8705 §2.1.2: exactly one of these five with tls_client_auth.
    tls_client_auth_subject_dn: str | None = None
    tls_client_auth_san_dns: str | None = None
    tls_client_auth_san_uri: str | None = None
    tls_client_auth_san_ip: str | None = None
    tls_client_auth_san_email: str | None = None
    tls_client_certificate_bound_access_tokens: bool = False
    dpop_bound_access_tokens: bool = False
    grant_types: tuple[GrantType, ...] = ("authorization_code",)
    response_types: tuple[Literal["code"], ...] = ("code",)
    scope: str = "openid"
    jwks: dict[str, Any] | None = None
    jwks_uri: str | None = None
    sector_identifier_uri: str | None = None
    initiate_login_uri: str | None = None
    request_uris: tuple[str, ...] = ()
    require_pushed_authorization_requests: bool = False
    require_signed_request_object: bool = False
    request_object_signing_alg: Algorithm | None = None
    authorization_signed_response_alg: Algorithm | None = None
    authorization_details_types: tuple[str, ...] = ()
    id_token_signed_response_alg: Algorithm = "ES256"
    id_token_encrypted_response_alg: EncryptionAlg | None = None
    id_token_encrypted_response_enc: EncryptionEnc | None = None
    userinfo_signed_response_alg: Algorithm | None = None
    userinfo_encrypted_response_alg: EncryptionAlg | None = None
    userinfo_encrypted_response_enc: EncryptionEnc | None = None
    introspection_signed_response_alg: Algorithm | None = None
    introspection_encrypted_response_alg: EncryptionAlg | None = None
    introspection_encrypted_response_enc: EncryptionEnc | None = None
    backchannel_logout_uri: str | None = None
    backchannel_logout_session_required: bool = False
    frontchannel_logout_uri: str | None = None
    frontchannel_logout_session_required: bool = False
    backchannel_token_delivery_mode: Literal["poll", "ping"] | None = None
    backchannel_client_notification_endpoint: str | None = None
    backchannel_authentication_request_signing_alg: Algorithm | None = None
    backchannel_user_code_parameter: bool = False
    representation_allowed: bool = False
    """Ours: the client reads ``act``, so its citizens may sign in for somebody else."""
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

    def about(self, client_id: str) -> "About | None":
        """None where the client registered nothing of the kind."""
        if not (self.logo_uri or self.policy_uri or self.tos_uri):
            return None
        return About(
            logo=f"/idp/logos/{client_id}" if self.logo_uri else None, policy_uri=self.policy_uri, tos_uri=self.tos_uri
        )

    @property
    def scopes(self) -> frozenset[str]:
        return frozenset(self.scope.split())


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What a citizen may look at before trusting a client (OpenID Connect Dynamic Client Registration §2)."""

    logo: str | None
    """A path of ours."""
    policy_uri: str | None
    tos_uri: str | None


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
    state: Literal["active", "disabled", "deleted"]
    metadata: ClientMetadata
    secret_sha256: bytes | None
    previous_secret_sha256: bytes | None = None
    """Of before the last rotation: good until ``previous_secret_until``."""
    previous_secret_until: datetime | None = None
    revision: int
    keys: PublicKeys | None
    """Parsed once a revision."""

    @property
    def dpop_bound(self) -> bool:
        """Its tokens are bound to a key (RFC 9449 §5.2): by its wish, or because its profile wants that or mTLS."""
        return self.metadata.dpop_bound_access_tokens or (
            self.profile in SENDER_CONSTRAINED and not self.metadata.tls_client_certificate_bound_access_tokens
        )

    @property
    def strict(self) -> bool:
        """Held to FAPI 2.0."""
        return self.profile in ("fapi2", "fapi2-ms")

    @property
    def public(self) -> bool:
        return self.metadata.token_endpoint_auth_method == "none"
