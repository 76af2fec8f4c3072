"""Passkeys: what a browser is asked, and the judgement of what it answers (Web Authentication Level 3, §7.1 and §7.2).

Asked for is always a discoverable credential with user verification, and no attestation: which make a citizen's device
is does not concern us. Nothing here touches the database.
"""

import hashlib
import hmac
import logging
from collections.abc import Sequence
from typing import Any, Literal
from urllib.parse import urlsplit
from uuid import UUID

import msgspec
import webauthn
from webauthn.helpers import base64url_to_bytes, decode_credential_public_key, options_to_json_dict, parse_cbor
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.decode_credential_public_key import (
    DecodedEC2PublicKey,
    DecodedOKPPublicKey,
    DecodedRSAPublicKey,
)
from webauthn.helpers.structs import (
    AttestationConveyancePreference,
    AuthenticationCredential,
    AuthenticatorAssertionResponse,
    AuthenticatorAttestationResponse,
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    CredentialDeviceType,
    PublicKeyCredentialDescriptor,
    PublicKeyCredentialType,
    RegistrationCredential,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from idp.keys.secrets import Secrets
from kit import strict_json
from kit.plain_cbor import NotPlain, end_of

log = logging.getLogger("khizana.passkeys")

TEXT_MAX = 16_384
CREDENTIAL_ID_BYTES_MAX = 1_023
AMR = ("pop", "user", "mfa")
"""RFC 8176 §2: a key was proven and a person was there; verified on the device, so two factors. Which of them was a
fingerprint, a face or a PIN nobody tells us, so ``fpt`` and ``face`` are never claimed."""
ALGORITHMS = (
    COSEAlgorithmIdentifier.ECDSA_SHA_256,
    COSEAlgorithmIdentifier.EDDSA,
    COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256,
)
_TIMEOUT_MS = 300_000
_P256, _ED25519 = 1, 6
_FLAGS_AT, _DATA_AT, _ID_LENGTH_AT, _ID_AT = 32, 37, 53, 55
_HAS_KEY, _HAS_EXTENSIONS = 0x40, 0x80
_RSA_BYTES_MIN = 256
_TRANSPORTS = {transport.value for transport in AuthenticatorTransport}


class Site(msgspec.Struct, frozen=True):
    """Whose passkeys they are: the host and the origin of the issuer."""

    rp_id: str
    origin: str

    @classmethod
    def of(cls, issuer: str) -> "Site":
        parts = urlsplit(issuer)
        return cls(parts.hostname or "", f"{parts.scheme}://{parts.netloc}")


class Passkey(msgspec.Struct, frozen=True, kw_only=True):
    """One that is registered, with its owner."""

    passkey_id: UUID
    citizen_id: UUID
    credential_id: bytes
    public_key: bytes
    backup_eligible: bool


class NewPasskey(msgspec.Struct, frozen=True, kw_only=True):
    credential_id: bytes
    public_key: bytes
    sign_count: int
    transports: tuple[str, ...]
    backup_eligible: bool
    backed_up: bool


class Asserted(msgspec.Struct, frozen=True):
    """What a right assertion says about the authenticator."""

    sign_count: int
    backed_up: bool


class _AssertionResponse(msgspec.Struct, frozen=True, rename="camel"):
    authenticator_data: str
    signature: str
    client_data: str = msgspec.field(name="clientDataJSON")
    user_handle: str | None = None


class _AttestationResponse(msgspec.Struct, frozen=True, rename="camel"):
    attestation_object: str
    client_data: str = msgspec.field(name="clientDataJSON")
    transports: tuple[str, ...] = ()


class _Assertion(msgspec.Struct, frozen=True, rename="camel"):
    """``AuthenticationResponseJSON`` (§5.1); other members are of no interest."""

    id: str
    raw_id: str
    type: Literal["public-key"]
    response: _AssertionResponse


class _Attestation(msgspec.Struct, frozen=True, rename="camel"):
    """``RegistrationResponseJSON``"""

    id: str
    raw_id: str
    type: Literal["public-key"]
    response: _AttestationResponse


class _ClientData(msgspec.Struct, frozen=True, rename="camel"):
    challenge: str
    cross_origin: bool = False


class Assertion(msgspec.Struct, frozen=True, kw_only=True):
    """Decoded, believed in nothing yet."""

    credential: AuthenticationCredential
    challenge: bytes
    user_handle: bytes | None

    @property
    def credential_id(self) -> bytes:
        return self.credential.raw_id


def user_handle(secrets: Secrets, citizen_id: UUID) -> bytes:
    """``user.id``: kept by the authenticator, so it says nothing about the person (§14.6.1)."""
    return hmac.new(secrets.derive("passkey-user"), citizen_id.bytes, hashlib.sha256).digest()


def creation_options(
    site: Site, *, challenge: bytes, handle: bytes, uid: str, name: str, existing: Sequence[bytes]
) -> dict[str, Any]:
    """``PublicKeyCredentialCreationOptionsJSON``. ``existing`` keeps a device from making a second one."""
    options = webauthn.generate_registration_options(
        rp_id=site.rp_id,
        rp_name="Khizana",
        user_id=handle,
        user_name=uid,
        user_display_name=name,
        challenge=challenge,
        timeout=_TIMEOUT_MS,
        attestation=AttestationConveyancePreference.NONE,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            require_resident_key=True,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=one) for one in existing],
        supported_pub_key_algs=list(ALGORITHMS),
    )
    return options_to_json_dict(options)


def request_options(site: Site, *, challenge: bytes, allowed: Sequence[bytes] = ()) -> dict[str, Any]:
    """``PublicKeyCredentialRequestOptionsJSON``. Without ``allowed`` the device offers whose passkeys it has."""
    options = webauthn.generate_authentication_options(
        rp_id=site.rp_id,
        challenge=challenge,
        timeout=_TIMEOUT_MS,
        allow_credentials=[PublicKeyCredentialDescriptor(id=one) for one in allowed],
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return options_to_json_dict(options)


def challenge_in(text: str) -> bytes | None:
    """The challenge that a registration's answer speaks of."""
    try:
        answer = strict_json.decode(text[:TEXT_MAX], _Attestation)
        return _challenge(answer.response.client_data)
    except (msgspec.DecodeError, ValueError):
        return None


def read_assertion(text: str) -> Assertion | None:
    """None for what is no assertion, or was made inside another site's frame (§7.2, ``crossOrigin``)."""
    if len(text) > TEXT_MAX:
        return None
    try:
        answer = strict_json.decode(text, _Assertion)
        response = answer.response
        challenge = _challenge(response.client_data)
        handle = base64url_to_bytes(response.user_handle) if response.user_handle else None
        credential = AuthenticationCredential(
            id=answer.id,
            raw_id=base64url_to_bytes(answer.raw_id),
            response=AuthenticatorAssertionResponse(
                client_data_json=base64url_to_bytes(response.client_data),
                authenticator_data=base64url_to_bytes(response.authenticator_data),
                signature=base64url_to_bytes(response.signature),
                user_handle=handle,
            ),
            type=PublicKeyCredentialType.PUBLIC_KEY,
        )
    except (msgspec.DecodeError, ValueError):
        return None
    if challenge is None or not 1 <= len(credential.raw_id) <= CREDENTIAL_ID_BYTES_MAX:
        return None
    return Assertion(credential=credential, challenge=challenge, user_handle=handle)


def judge_assertion(site: Site, assertion: Assertion, passkey: Passkey) -> Asserted | None:
    """None unless this passkey's key signed our challenge at our origin with user verification.

    The algorithm is the one of the registered key, which was one of ALGORITHMS. The sign count is judged by the
    statement that keeps it.
    """
    try:
        _refuse_tags(assertion.credential.response.authenticator_data)
        found = webauthn.verify_authentication_response(
            credential=assertion.credential,
            expected_challenge=assertion.challenge,
            expected_rp_id=site.rp_id,
            expected_origin=site.origin,
            credential_public_key=passkey.public_key,
            credential_current_sign_count=0,
            require_user_verification=True,
        )
    except Exception as refusal:
        # The library takes foreign bytes apart and lets through what its parsers raise: all of it means no.
        log.info("an assertion was refused: %s", type(refusal).__name__)
        return None
    eligible = found.credential_device_type == CredentialDeviceType.MULTI_DEVICE
    # §7.2 step 19: whether a key may be copied is decided when it is made.
    if eligible != passkey.backup_eligible:
        return None
    return Asserted(found.new_sign_count, found.credential_backed_up)


def judge_attestation(site: Site, text: str, *, challenge: bytes) -> NewPasskey | None:
    """None for a registration that does not follow what we asked for."""
    try:
        answer = strict_json.decode(text, _Attestation)
        response = answer.response
        attestation_object = base64url_to_bytes(response.attestation_object)
        # Without attestation a browser sends none; to take a vendor's certificates apart would only be a risk.
        if end_of(attestation_object) != len(attestation_object):
            return None
        attestation = parse_cbor(attestation_object)
        if attestation.get("fmt") != "none":
            return None
        _refuse_tags(attestation["authData"])
        found = webauthn.verify_registration_response(
            credential=RegistrationCredential(
                id=answer.id,
                raw_id=base64url_to_bytes(answer.raw_id),
                response=AuthenticatorAttestationResponse(
                    client_data_json=base64url_to_bytes(response.client_data), attestation_object=attestation_object
                ),
                type=PublicKeyCredentialType.PUBLIC_KEY,
            ),
            expected_challenge=challenge,
            expected_rp_id=site.rp_id,
            expected_origin=site.origin,
            require_user_verification=True,
            supported_pub_key_algs=list(ALGORITHMS),
        )
        strong = _is_strong(found.credential_public_key)
    except Exception as refusal:
        # As above: the parsers of the library raise what they like.
        log.info("a registration was refused: %s", type(refusal).__name__)
        return None
    same = found.credential_id == base64url_to_bytes(answer.raw_id)
    if not strong or not same or len(found.credential_id) > CREDENTIAL_ID_BYTES_MAX:
        return None
    return NewPasskey(
        credential_id=found.credential_id,
        public_key=found.credential_public_key,
        sign_count=found.sign_count,
        transports=tuple(sorted(_TRANSPORTS.intersection(response.transports))),
        backup_eligible=found.credential_device_type == CredentialDeviceType.MULTI_DEVICE,
        backed_up=found.credential_backed_up,
    )


def _refuse_tags(authenticator_data: bytes) -> None:
    """Raises NotPlain unless key and extensions (§6.1) are as authenticators write them (CTAP 2.1 §8).

    The library decodes them and encodes them again to know where they end, and checks no signature before it.
    """
    at = _DATA_AT
    flags = authenticator_data[_FLAGS_AT]
    if flags & _HAS_KEY:
        at = end_of(authenticator_data, _ID_AT + int.from_bytes(authenticator_data[_ID_LENGTH_AT:_ID_AT]))
    if flags & _HAS_EXTENSIONS:
        at = end_of(authenticator_data, at)
    if at != len(authenticator_data):
        raise NotPlain


def _challenge(client_data: str) -> bytes | None:
    data = strict_json.decode(base64url_to_bytes(client_data), _ClientData)
    return None if data.cross_origin else base64url_to_bytes(data.challenge)


def _is_strong(public_key: bytes) -> bool:
    """The curve that goes with the algorithm (§5.8.5), and RSA from 2048 bits."""
    key = decode_credential_public_key(public_key)
    if isinstance(key, DecodedEC2PublicKey):
        return int(key.crv) == _P256
    if isinstance(key, DecodedOKPPublicKey):
        return int(key.crv) == _ED25519
    return isinstance(key, DecodedRSAPublicKey) and len(key.n.lstrip(b"\x00")) >= _RSA_BYTES_MIN
