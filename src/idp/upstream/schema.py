import datetime as dt
from collections.abc import Mapping
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from idp.citizens.schema import Proofing, State
from idp.keys.secrets import Secrets
from idp.messages.post import Post
from idp.sessions.levels import Acr
from kit.audit import Audit
from kit.db import Database
from kit.jose import Algorithm
from kit.throttle import Throttle

Slug = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,30}$")]
Text = Annotated[str, Meta(min_length=1, max_length=200)]
Said = Literal["declined", "failed", "away"]
"""Why a sign-in elsewhere came to nothing, as the sign-in page tells it."""


class DisplayName(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The button's words in each language of the pages."""

    ar: Text
    fr: Text
    zgh: Text
    en: Text


class Registration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an operator agreed with the other provider: RFC 7591 §2 names where it has one."""

    slug: Slug
    """Our name for it, in addresses: it stays."""
    issuer: Text
    client_id: Text
    """Who we are there."""
    display_name: DisplayName
    token_endpoint_auth_method: Literal["private_key_jwt", "client_secret_basic", "client_secret_post"] = (
        "private_key_jwt"
    )
    token_endpoint_auth_signing_alg: Algorithm = "ES256"
    id_token_signed_response_alg: Algorithm = "ES256"
    """The one algorithm that its ID tokens may have (OpenID Connect Core §3.1.3.7, 7)."""
    scope: Text = "openid"
    acr: dict[Text, Acr] = {}
    """Their ``acr`` → our level. What does not stand here is ``low``."""
    amr: dict[Text, Acr] = {}
    """For ID tokens without ``acr``: their ``amr`` value (RFC 8176) → our level, the best one counts."""
    hosts: tuple[Text, ...] = ()
    """Further hosts, as ``host`` or ``host:port``, that its endpoints may have. Others are refused."""


class RegistrationInput(Registration, frozen=True, kw_only=True, forbid_unknown_fields=True):
    client_secret: Annotated[str, Meta(min_length=16, max_length=1_000)] | None = None


class Metadata(msgspec.Struct, frozen=True, kw_only=True):
    """What we use of OpenID Connect Discovery §3, RFC 8414 §2, RFC 9126 §5 and RFC 9207 §3."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    pushed_authorization_request_endpoint: str | None = None
    response_types_supported: tuple[str, ...] = ("code",)
    code_challenge_methods_supported: tuple[str, ...] | None = None
    id_token_signing_alg_values_supported: tuple[str, ...] | None = None
    token_endpoint_auth_methods_supported: tuple[str, ...] | None = None
    authorization_response_iss_parameter_supported: bool = False


class Upstream(msgspec.Struct, frozen=True, kw_only=True):
    registration: Registration
    credential_sealed: bytes

    @property
    def slug(self) -> str:
        return self.registration.slug

    @property
    def issuer(self) -> str:
        return self.registration.issuer

    @property
    def names(self) -> Mapping[str, str]:
        name = self.registration.display_name
        return {"ar": name.ar, "fr": name.fr, "zgh": name.zgh, "en": name.en}


class Linking(msgspec.Struct, frozen=True, kw_only=True):
    """The parts that the slice's actions share."""

    db: Database
    audit: Audit
    throttle: Throttle
    secrets: Secrets
    post: Post
    issuer: str
    """Ours."""
    origin: str
    """Of the links in messages."""
    session_lifetime_s: int

    def redirect_uri(self, slug: str) -> str:
        """One for each provider, so that an answer cannot pass for another's (RFC 9700 §4.4.2)."""
        return f"{self.issuer}/upstream/{slug}/callback"


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """An authentication request of ours whose answer came."""

    interaction_id: str | None
    account_page: str
    citizen_id: UUID | None
    nonce_sha256: bytes
    verifier_sealed: bytes
    created_s: float


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Parameters of the authentication response (OpenID Connect Core §3.1.2.5, RFC 9207 §2)."""

    state: str | None
    code: str | None
    iss: str | None
    error: str | None


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """What a verified ID token says."""

    sub: str
    acr: str | None
    amr: tuple[str, ...]


class Linked(msgspec.Struct, frozen=True, kw_only=True):
    """The citizen behind an account elsewhere."""

    citizen_id: UUID
    acr_max: Acr
    state: State
    proofing: Proofing


class LinkLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the list that a citizen sees."""

    link_id: UUID
    slug: str
    names: Mapping[str, str]
    linked_at: dt.datetime
    last_used_at: dt.datetime | None


class SignedIn(msgspec.Struct, frozen=True):
    session_token: str


class LinkNeeded(msgspec.Struct, frozen=True):
    """This account there is nobody's here: the citizen signs in with their own factors and decides."""


class NotSignedIn(msgspec.Struct, frozen=True):
    said: Said
