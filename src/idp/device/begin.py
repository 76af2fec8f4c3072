"""A device asks to be let in: it gets a code to poll with, and one for a person to type (RFC 8628 §3.1, §3.2)."""

from idp.authorization.schema import AuthorizationRequest
from idp.device import store
from idp.device.schema import INTERVAL_S, LIFETIME_S, DeviceAuthorizationResponse, Devices
from idp.device.sealing import mac_of, sealed
from idp.device.user_code import new_user_code, shown
from idp.refusals import said_as_oauth
from kit.throttle import Limit
from kit.tokens import digest

REQUESTS = Limit("device-requests", 60, 60)
_COLLISIONS_MAX = 5


async def begin(
    parts: Devices, request: AuthorizationRequest, *, device_code: str, address_prefix: str
) -> DeviceAuthorizationResponse:
    """Raises TooFast: a public client's name is known to everybody."""
    with said_as_oauth():
        await parts.throttle.count(parts.db, REQUESTS, f"{request.client_id}|{address_prefix}")
    user_code = await _insert(parts, request, digest(device_code))
    return DeviceAuthorizationResponse(
        device_code=device_code,
        user_code=shown(user_code),
        verification_uri=f"{parts.issuer}/device",
        verification_uri_complete=f"{parts.issuer}/device?user_code={shown(user_code)}",
        expires_in=LIFETIME_S,
        interval=INTERVAL_S,
    )


async def _insert(parts: Devices, request: AuthorizationRequest, device_code_sha256: bytes) -> str:
    for _ in range(_COLLISIONS_MAX):
        user_code = new_user_code()
        if await store.insert(
            parts.db,
            device_code_sha256=device_code_sha256,
            user_code_mac=mac_of(parts.secrets, user_code),
            user_code_sealed=sealed(parts.secrets, user_code, device_code_sha256),
            request=request,
            interval_s=INTERVAL_S,
            lifetime_s=LIFETIME_S,
        ):
            return user_code
    raise AssertionError("34 bits collide five times in a row")
