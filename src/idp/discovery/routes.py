import msgspec
from litestar import Response, get
from litestar.di import NamedDependency

from idp.discovery.describe import describe, with_mtls
from idp.problem import refusals
from idp.wiring import Wiring
from kit.direct import Answer, Asked

# Relying parties in a browser read these from other origins; they are public and carry no cookie.
_HEADERS = (
    (b"cache-control", b"public, max-age=300"),
    (b"access-control-allow-origin", b"*"),
    (b"cross-origin-resource-policy", b"cross-origin"),
)
_described: dict[tuple[str, str | None, bool, tuple[str, ...]], bytes] = {}


@get("/.well-known/openid-configuration", operation_id="Discovery", responses=refusals())
async def discovery(wiring: NamedDependency[Wiring]) -> Response[bytes]:
    """OpenID Connect Discovery §4."""
    return _document(wiring).response()


@get("/.well-known/oauth-authorization-server/idp", operation_id="AuthorizationServerMetadata", responses=refusals())
async def rfc8414(wiring: NamedDependency[Wiring]) -> Response[bytes]:
    """RFC 8414 §3.1: the well-known part stands before the issuer's path."""
    return _document(wiring).response()


@get("/jwks", operation_id="Jwks", responses=refusals())
async def jwks(wiring: NamedDependency[Wiring]) -> Response[bytes]:
    """RFC 7517 §5: public members only; a key is here a day before it signs."""
    return _jwks(wiring).response()


async def answer_discovery(_: Asked, wiring: Wiring) -> Answer:
    return _document(wiring)


async def answer_jwks(_: Asked, wiring: Wiring) -> Answer:
    return _jwks(wiring)


def _jwks(wiring: Wiring) -> Answer:
    return Answer(body=wiring.keys.current().published, media_type="application/jwk-set+json", headers=_HEADERS)


def _document(wiring: Wiring) -> Answer:
    settings, algorithms = wiring.settings, tuple(wiring.keys.current().algorithms())
    known = (settings.issuer, settings.mtls_issuer, settings.mtls_ca_file is not None, algorithms)
    if known not in _described:
        document = describe(settings.issuer, signing=algorithms, trust_frameworks=settings.trust_frameworks)
        if settings.mtls_issuer is not None:
            by_authority = settings.mtls_ca_file is not None
            document = with_mtls(document, mtls_issuer=settings.mtls_issuer, by_authority=by_authority)
        _described[known] = msgspec.json.encode(document)
    return Answer(body=_described[known], headers=_HEADERS)


ROUTES = [discovery, jwks]
DIRECT = {
    ("GET", "/idp/.well-known/openid-configuration"): answer_discovery,
    ("GET", "/.well-known/oauth-authorization-server/idp"): answer_discovery,
    ("GET", "/idp/jwks"): answer_jwks,
}
