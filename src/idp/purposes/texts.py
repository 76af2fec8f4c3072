from idp.authorization.schema import AuthorizationRequest
from idp.purposes.held import known
from kit.db import Tx


async def texts(tx: Tx, request: AuthorizationRequest, language: str) -> dict[str, str]:
    """Of the request's purposes, what each says in this language."""
    registered = await known(tx, request.client_id, request.authorization_details)
    return {purpose_id: getattr(purpose.purpose, language) for purpose_id, purpose in registered.items()}
