from collections.abc import Mapping
from typing import get_args

from idp.authorization.schema import AuthorizationRequest
from idp.authorization.steps import STEPS, Asked, Endpoint, Step

_OF_ENDPOINT: Mapping[Endpoint, tuple[Step, ...]] = {
    endpoint: tuple(step for step, endpoints in STEPS if endpoint in endpoints) for endpoint in get_args(Endpoint)
}


def validate(asked: Asked) -> AuthorizationRequest:
    """The request that ``asked`` is at its endpoint; AuthorizationError for the first thing that is wrong."""
    request = AuthorizationRequest(client_id=asked.client.client_id)
    for step in _OF_ENDPOINT[asked.endpoint]:
        request = step(asked, request)
    return request
