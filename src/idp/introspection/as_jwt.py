"""The answer as a signed statement of ours, for whoever must show it to others later (RFC 9701)."""

import time
from collections.abc import Mapping
from typing import Any

from idp.clients.schema import ALGORITHMS_OF_PROFILE, Client
from kit.jose import Encryption, KeySet

MEDIA_TYPE = "application/token-introspection+jwt"


async def as_jwt(
    answer: Mapping[str, Any], client: Client, *, keys: KeySet, issuer: str, encryption: Encryption | None
) -> str:
    """§5: ``sub`` and ``exp`` stand only inside, or somebody could take it for an access token."""
    claims = {"iss": issuer, "aud": client.client_id, "iat": int(time.time()), "token_introspection": answer}
    signed = await keys.sign(claims, typ="token-introspection+jwt", alg=_alg(client))
    return signed if encryption is None else encryption.of(signed, cty="JWT")


def _alg(client: Client) -> str:
    """RS256 unless registered (§6), where the client's profile allows that."""
    registered = client.metadata.introspection_signed_response_alg
    allowed = ALGORITHMS_OF_PROFILE[client.profile]
    return registered or ("RS256" if "RS256" in allowed else allowed[0])
