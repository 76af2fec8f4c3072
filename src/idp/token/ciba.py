"""A service comes for the tokens that a citizen let it have (CIBA Core §10.1). They are sender-constrained in every
profile (FAPI-CIBA §5.2.2): who overhears the answer can use none of them."""

from idp.backchannel.poll import poll
from idp.token.grants import TokenEndpoint, TokenRequest
from idp.token.schema import TokenResponse
from idp.token.waiting import Flow, redeem

_FLOW = Flow(
    grant_type="urn:openid:params:grant-type:ciba", kind="ciba", parameter="auth_req_id", poll=poll, bound=True
)


async def ciba(endpoint: TokenEndpoint, request: TokenRequest) -> TokenResponse:
    return await redeem(endpoint, request, _FLOW)
