"""Claims in the form that the client registered (OpenID Connect Core §5.3.2): plain, signed, encrypted, or both."""

from collections.abc import Mapping
from typing import Any

import msgspec

from idp.clients.schema import Client
from kit.jose import Encryption, KeySet


class Rendered(msgspec.Struct, frozen=True):
    media_type: str
    body: bytes


async def render(
    claims: Mapping[str, Any], client: Client, *, keys: KeySet, issuer: str, encryption: Encryption | None
) -> Rendered:
    alg = client.metadata.userinfo_signed_response_alg
    if alg is None and encryption is None:
        return Rendered("application/json", msgspec.json.encode(claims))
    if alg is None:
        assert encryption is not None
        return Rendered("application/jwt", encryption.of(msgspec.json.encode(claims).decode(), cty=None).encode())
    signed = await keys.sign({**claims, "iss": issuer, "aud": client.client_id}, typ="JWT", alg=alg)
    return Rendered("application/jwt", (encryption.of(signed, cty="JWT") if encryption else signed).encode())
