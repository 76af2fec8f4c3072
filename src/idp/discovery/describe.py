from collections.abc import Sequence
from typing import Any, get_args

from idp.authorization.details import TYPES
from idp.citizens.claims import IN_VERIFIED_CLAIMS, SUPPORTED_CLAIMS
from idp.citizens.schema import DocumentType, RecordType
from idp.clients.scopes import SHOWN
from kit.dpop import ALGORITHMS as DPOP_ALGORITHMS
from kit.jose import ASYMMETRIC, ENCRYPTION_ALGS, ENCRYPTION_ENCS

_ASK_FOR_A_CERTIFICATE = (
    "token_endpoint",
    "userinfo_endpoint",
    "introspection_endpoint",
    "revocation_endpoint",
    "pushed_authorization_request_endpoint",
    "device_authorization_endpoint",
    "backchannel_authentication_endpoint",
)


def with_mtls(document: dict[str, Any], *, mtls_issuer: str, by_authority: bool) -> dict[str, Any]:
    """RFC 8705 §5: the same endpoints at the host where the edge asks for a certificate."""
    methods = ["self_signed_tls_client_auth", *(["tls_client_auth"] if by_authority else [])]
    changed = {
        name: [*document[name], *methods] for name in document if name.endswith("_endpoint_auth_methods_supported")
    }
    aliases = {
        name: mtls_issuer + document[name].removeprefix(document["issuer"])
        for name in _ASK_FOR_A_CERTIFICATE
        if name in document
    }
    return {
        **document,
        **changed,
        "tls_client_certificate_bound_access_tokens": True,
        "mtls_endpoint_aliases": aliases,
    }


def describe(issuer: str, *, signing: Sequence[str], trust_frameworks: Sequence[str]) -> dict[str, Any]:
    """OpenID Connect Discovery §3 and RFC 8414 §2 in one document: only what is really served.

    ``signing`` are the algorithms for which there is a key.
    """
    methods = ["private_key_jwt", "client_secret_basic", "client_secret_post"]
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "userinfo_endpoint": f"{issuer}/userinfo",
        "jwks_uri": f"{issuer}/jwks",
        "end_session_endpoint": f"{issuer}/end-session",
        "registration_endpoint": f"{issuer}/register",
        "frontchannel_logout_supported": True,
        "frontchannel_logout_session_supported": True,
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
        "introspection_endpoint": f"{issuer}/introspect",
        "revocation_endpoint": f"{issuer}/revoke",
        "scopes_supported": list(SHOWN),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "form_post", "jwt", "query.jwt", "form_post.jwt"],
        "grant_types_supported": [
            "authorization_code",
            "refresh_token",
            "client_credentials",
            "urn:ietf:params:oauth:grant-type:token-exchange",
            "urn:ietf:params:oauth:grant-type:device_code",
            "urn:openid:params:grant-type:ciba",
        ],
        "device_authorization_endpoint": f"{issuer}/device-authorization",
        "backchannel_authentication_endpoint": f"{issuer}/bc-authorize",
        "backchannel_token_delivery_modes_supported": ["poll", "ping"],
        "backchannel_authentication_request_signing_alg_values_supported": ["ES256", "PS256", "EdDSA"],
        "backchannel_user_code_parameter_supported": False,
        "acr_values_supported": ["low", "substantial", "high"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": list(signing),
        "id_token_encryption_alg_values_supported": list(ENCRYPTION_ALGS),
        "id_token_encryption_enc_values_supported": list(ENCRYPTION_ENCS),
        "userinfo_signing_alg_values_supported": list(signing),
        "userinfo_encryption_alg_values_supported": list(ENCRYPTION_ALGS),
        "userinfo_encryption_enc_values_supported": list(ENCRYPTION_ENCS),
        "introspection_signing_alg_values_supported": list(signing),
        "introspection_encryption_alg_values_supported": list(ENCRYPTION_ALGS),
        "introspection_encryption_enc_values_supported": list(ENCRYPTION_ENCS),
        "token_endpoint_auth_methods_supported": [*methods, "none"],
        "token_endpoint_auth_signing_alg_values_supported": list(ASYMMETRIC),
        "introspection_endpoint_auth_methods_supported": methods,
        "introspection_endpoint_auth_signing_alg_values_supported": list(ASYMMETRIC),
        "revocation_endpoint_auth_methods_supported": [*methods, "none"],
        "revocation_endpoint_auth_signing_alg_values_supported": list(ASYMMETRIC),
        "dpop_signing_alg_values_supported": list(DPOP_ALGORITHMS),
        "claim_types_supported": ["normal"],
        "claims_supported": ["sub", "iss", "auth_time", "acr", "amr", "sid", *SUPPORTED_CLAIMS],
        "claims_parameter_supported": True,
        # In no standard, and widely read under this name: where people look after their account.
        "account_management_uri": f"{issuer}/account",
        **(_assurance(trust_frameworks) if trust_frameworks else {}),
        "pushed_authorization_request_endpoint": f"{issuer}/par",
        "require_pushed_authorization_requests": False,
        "request_parameter_supported": True,
        "request_uri_parameter_supported": True,
        "require_request_uri_registration": True,
        "require_signed_request_object": False,
        "request_object_signing_alg_values_supported": list(ASYMMETRIC),
        "authorization_details_types_supported": list(TYPES),
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
        "authorization_signing_alg_values_supported": list(signing),
        "ui_locales_supported": ["ar-MA", "zgh", "fr-MA", "en"],
        "claims_locales_supported": ["ar", "zgh", "fr", "en"],
        "display_values_supported": ["page"],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
    }


def _assurance(trust_frameworks: Sequence[str]) -> dict[str, Any]:
    """OpenID Connect for Identity Assurance 1.0 §8; ``verified_claims_supported`` is of its drafts, for who learned it
    there."""
    return {
        "verified_claims_supported": True,
        "trust_frameworks_supported": list(trust_frameworks),
        "evidence_supported": ["document", "electronic_record", "vouch"],
        "documents_supported": list(get_args(DocumentType)),
        "electronic_records_supported": list(get_args(RecordType)),
        "claims_in_verified_claims_supported": list(IN_VERIFIED_CLAIMS),
    }
