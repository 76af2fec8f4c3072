from idp.authorization.schema import AuthorizationRequest
from idp.authorization.steps import STEPS, Asked


def validate(asked: Asked) -> AuthorizationRequest:
    """The request that ``asked`` is at its endpoint; AuthorizationError for the first thing that is wrong."""
    request = AuthorizationRequest(client_id=asked.client.client_id)
    for step, endpoints in STEPS:
        if asked.endpoint in endpoints:
            request = step(asked, request)
    return request
