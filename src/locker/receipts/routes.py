import msgspec
from litestar import Response, get
from litestar.di import NamedDependency

from locker.wiring import Wiring


@get("/.well-known/jwks.json", operation_id="LockerKeys", media_type="application/jwk-set+json")
async def jwks(wiring: NamedDependency[Wiring]) -> Response[bytes]:
    """Public keys with which the locker's receipts and signed answers verify (RFC 7517)."""
    return Response(
        msgspec.json.encode(wiring.signing.jwks()),
        media_type="application/jwk-set+json",
        headers={"Cache-Control": "public, max-age=300"},
    )
