import msgspec

from locker.documents.schema import Standing


class Sealed(msgspec.Struct, frozen=True, kw_only=True):
    """A credential as the table keeps it."""

    document_id: str
    fields: list[str]
    credential_id: str
    credential_sealed: bytes


class CredentialStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How a credential is now. Nothing of its contents or its holder."""

    credential_id: str
    shared: bool
    """Does the citizen still share it?"""
    standing: Standing | None
    """Whether the issuer stands by the document today; not said any more when the share is over."""


class IssuerMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """JWT VC Issuer Metadata (draft-ietf-oauth-sd-jwt-vc, "JWT VC Issuer Metadata Response")."""

    issuer: str
    jwks_uri: str


class TypeDisplay(msgspec.Struct, frozen=True, kw_only=True):
    locale: str
    name: str


class ClaimDisplay(msgspec.Struct, frozen=True, kw_only=True):
    locale: str
    label: str


class ClaimMetadata(msgspec.Struct, frozen=True, kw_only=True):
    path: list[str]
    sd: str = "always"
    display: list[ClaimDisplay]


class TypeMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """SD-JWT VC Type Metadata of the same draft."""

    vct: str
    display: list[TypeDisplay]
    claims: list[ClaimMetadata]
