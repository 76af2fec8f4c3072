import msgspec
from litestar import Response, get
from litestar.di import NamedDependency

from idp.discovery.describe import describe
from idp.wiring import Wiring
from kit.jose import KeySet

# Relying parties in a browser read these from other origins; they are public and carry no cookie.
_HEADERS = {
    "Cache-Control": "public, max-age=300",
    "Access-Control-Allow-Origin": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
}
_described: dict[str, bytes] = {}
_published: dict[int, tuple[KeySet, bytes]] = {}


@get("/.well-known/openid-configuration", operation_id="Discovery")
async def discovery(wiring: NamedDependency[Wiring]) -> Response[bytes]:
    """OpenID Connect Discovery §4."""
    return _document(wiring.settings.issuer)


@get("/.well-known/oauth-authorization-server/idp", operation_id="AuthorizationServerMetadata")
async def rfc8414(wiring: NamedDependency[Wiring]) -> Response[bytes]:
    """RFC 8414 §3.1: the well-known part stands before the issuer's path."""
    return _document(wiring.settings.issuer)


@get("/jwks", operation_id="Jwks")
async def jwks(wiring: NamedDependency[Wiring]) -> Response[bytes]:
    """RFC 7517 §5: public members only; a key is here a day before it signs."""
    keys = wiring.keys.current()
    known = _published.get(0)
    if known is None or known[0] is not keys:
        known = _published[0] = (keys, msgspec.json.encode(keys.jwks()))
    return Response(known[1], media_type="application/jwk-set+json", headers=_HEADERS)


def _document(issuer: str) -> Response[bytes]:
    if issuer not in _described:
        _described[issuer] = msgspec.json.encode(describe(issuer))
    return Response(_described[issuer], media_type="application/json", headers=_HEADERS)


ROUTES = [discovery, jwks]
