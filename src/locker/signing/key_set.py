from typing import Any

import msgspec
from litestar import Response


def key_set(keys: dict[str, Any]) -> Response[bytes]:
    """A JWK Set (RFC 7517 §8.5). Five minutes are less than the day for which a key is published before it signs."""
    return Response(
        msgspec.json.encode(keys),
        media_type="application/jwk-set+json",
        headers={"Cache-Control": "public, max-age=300"},
    )
