"""A device comes for the tokens that a citizen let it have (RFC 8628 §3.4)."""

from idp.device.poll import poll
from idp.token.grants import TokenEndpoint, TokenRequest
from idp.token.schema import TokenResponse
from idp.token.waiting import Flow, redeem

_FLOW = Flow(
    grant_type="urn:ietf:params:oauth:grant-type:device_code",
    kind="device_code",
    parameter="device_code",
    poll=poll,
    bound=False,
)


async def device_code(endpoint: TokenEndpoint, request: TokenRequest) -> TokenResponse:
    return await redeem(endpoint, request, _FLOW)
