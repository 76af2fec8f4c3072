"""What a client registers for the back channel (CIBA Core §4), narrowed by FAPI-CIBA §5.2.2."""

from idp.backchannel.schema import GRANT_TYPE
from idp.clients.schema import ClientMetadata, Profile
from idp.refusals import InvalidClientMetadata

_AUTHENTICATION = ("private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth")


def check_registration(metadata: ClientMetadata, profile: Profile) -> None:
    if GRANT_TYPE not in metadata.grant_types:
        if metadata.backchannel_token_delivery_mode is not None:
            raise InvalidClientMetadata(f"backchannel_token_delivery_mode: only with the grant type {GRANT_TYPE}")
        return
    if profile not in ("basic", "fapi2", "fapi2-ms"):
        raise InvalidClientMetadata("grant_types: the back channel is for basic and fapi2")
    if metadata.token_endpoint_auth_method not in _AUTHENTICATION:
        raise InvalidClientMetadata("token_endpoint_auth_method: the back channel needs private_key_jwt or mTLS")
    bound = metadata.dpop_bound_access_tokens or metadata.tls_client_certificate_bound_access_tokens
    if profile == "basic" and not bound:
        raise InvalidClientMetadata("dpop_bound_access_tokens: the back channel needs sender-constrained tokens")
    for name in (
        "backchannel_authentication_request_signing_alg",
        "token_endpoint_auth_signing_alg",
        "id_token_signed_response_alg",
    ):
        if getattr(metadata, name) == "RS256":
            raise InvalidClientMetadata(f"{name}: ES256, PS256 or EdDSA (FAPI 1.0 Part 2 §8.6)")
    if metadata.backchannel_user_code_parameter:
        raise InvalidClientMetadata("backchannel_user_code_parameter: not supported")
