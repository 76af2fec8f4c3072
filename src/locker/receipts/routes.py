from litestar import Response, get, post
from litestar.di import NamedDependency

from kit.edge import address_prefix
from kit.throttle import Limit
from locker.home.body import decoded
from locker.home.frame import AnyRequest, prober
from locker.problem import problems
from locker.receipts.openapi import ProveAccessOperation
from locker.receipts.prove_access import prove_access
from locker.receipts.schema import AccessProof, ReceiptShown
from locker.signing.key_set import key_set
from locker.wiring import Wiring

_PROOFS = Limit("access-proofs", attempts=60, per_s=60)


@get("/.well-known/jwks.json", operation_id="LockerKeys", media_type="application/jwk-set+json")
async def jwks(wiring: NamedDependency[Wiring]) -> Response[bytes]:
    """Public keys with which the locker's receipts and signed answers verify (RFC 7517): the one that signs, the next
    one, former ones; twenty at most, none that is distrusted."""
    return key_set(wiring.signing.jwks())


@get(
    "/.well-known/historical-keys.json",
    operation_id="LockerHistoricalKeys",
    media_type="application/jwk-set+json",
)
async def historical_keys(wiring: NamedDependency[Wiring]) -> Response[bytes]:
    """Every key that ever signed, for what was filed long ago; ``revoked`` stands at those that are distrusted."""
    return key_set(wiring.signing.historical())


@post(
    "/v1/receipts/proof",
    operation_id="ProveAccess",
    operation_class=ProveAccessOperation,
    status_code=200,
    tags=["log"],
    responses=problems(400, 404, 409, 422, 429, 503),
)
async def access_proof(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AccessProof:
    """That an access is in the log, for whoever holds its receipt, opener or citizen."""
    await wiring.throttle.count(wiring.db, _PROOFS, address_prefix(prober(request)))
    shown = await decoded(request, ReceiptShown)
    return await prove_access(wiring.db, wiring.signing, shown.receipt, locker_url=wiring.settings.locker_url)


ROUTES = [jwks, historical_keys, access_proof]
