"""An SD-JWT VC on what an administration deposited, with some of its fields in the open."""

import base64
import datetime as dt
import hashlib
import secrets
from collections.abc import Sequence
from typing import Any

import msgspec

from locker.disclosing.refusals import FieldUnknown
from locker.documents.schema import HeldDocument
from locker.signing.ring import SigningKeys

TYP = "dc+sd-jwt"
_SALT_BYTES = 16
"""RFC 9901 §9.3 wants 128 random bits."""
_DIGESTS_STEP = 8
_RESERVED = ("_sd", "...")


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What the credential says beside the fields."""

    locker_url: str
    credential_id: str
    until: dt.datetime
    recipient: str
    purpose: str
    client_id: str | None


def make_credential(
    keys: SigningKeys,
    document: HeldDocument,
    fields: dict[str, Any],
    disclosed: Sequence[str],
    about: About,
    *,
    now: dt.datetime,
) -> str:
    """``<Issuer-signed JWT>~<Disclosure>~…~`` (RFC 9901 §4). Of a field that is not ``disclosed`` it has only a digest,
    and its salt is nowhere; digests of nothing hide how many fields there are.

    Raises FieldUnknown.
    """
    if not disclosed or not set(disclosed) <= set(fields) or _has_reserved(fields):
        raise FieldUnknown
    disclosures = {name: _disclosure(name, value) for name, value in fields.items()}
    digests = [_digest(disclosure) for disclosure in disclosures.values()]
    properties = document.fields_schema.get("properties")
    known = max(len(digests), len(properties) if isinstance(properties, dict) else 0)
    decoys = -(-known // _DIGESTS_STEP) * _DIGESTS_STEP - len(digests)
    # RFC 9901 §4.2.5: the digest of random bytes.
    digests += [_base64url(hashlib.sha256(secrets.token_bytes(32)).digest()) for _ in range(decoys)]
    claims = {
        "iss": about.locker_url,
        "iat": int(now.timestamp()),
        "exp": int(_end(document, about.until).timestamp()),
        "jti": about.credential_id,
        "vct": vct(about.locker_url, document.type),
        "status": {"khizana_credential": {"uri": status_address(about.locker_url, about.credential_id)}},
        # The issuer of the data, whose seal was judged at deposit; we sign only that these are its words.
        "document": {
            "uri": document.uri,
            "type": document.type,
            "administration": document.administration,
            "valid_from": document.valid_from,
            "valid_until": document.valid_until,
        },
        "recipient": about.recipient,
        "purpose": about.purpose,
        "_sd_alg": "sha-256",
        # Sorted, so that their order tells nothing (RFC 9901 §4.2.4.1); apart, so that no field is taken for a claim.
        "fields": {"_sd": sorted(digests)},
    }
    if about.client_id:
        claims["aud"] = about.client_id
    signed = keys.sign(msgspec.to_builtins(claims), typ=TYP)
    return "~".join([signed, *(disclosures[name] for name in disclosed), ""])


def vct(locker_url: str, type_: str) -> str:
    return f"{locker_url}/credentials/types/{type_}"


def status_address(locker_url: str, credential_id: str) -> str:
    return f"{locker_url}/credentials/{credential_id}/status"


def read_credential(credential: str) -> dict[str, Any]:
    """The disclosed fields of one that we made and sealed ourselves: nothing is verified."""
    _signed, *disclosures, _after = credential.split("~")
    members = [msgspec.json.decode(_decoded(disclosure), type=list[Any]) for disclosure in disclosures]
    return {name: value for _salt, name, value in members}


def _disclosure(name: str, value: Any) -> str:
    """RFC 9901 §4.2.1."""
    return _base64url(msgspec.json.encode([_base64url(secrets.token_bytes(_SALT_BYTES)), name, value]))


def _digest(disclosure: str) -> str:
    """RFC 9901 §4.2.3: of the text as it is sent."""
    return _base64url(hashlib.sha256(disclosure.encode("ascii")).digest())


def _end(document: HeldDocument, until: dt.datetime) -> dt.datetime:
    if document.valid_until is None or document.standing == "expired":
        return until
    # Its last day is still a day of it. The calendar's own last day has no day after it.
    if document.valid_until >= until.date():
        return until
    return dt.datetime.combine(document.valid_until + dt.timedelta(days=1), dt.time(), dt.UTC)


def _has_reserved(value: Any) -> bool:
    """Names that a verifier would take for digests (RFC 9901 §4.2.1), at any depth."""
    if isinstance(value, dict):
        return any(name in _RESERVED or _has_reserved(member) for name, member in value.items())
    return isinstance(value, list) and any(_has_reserved(member) for member in value)


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
