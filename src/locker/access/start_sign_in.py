"""Send the citizen to the provider."""

from urllib.parse import urlencode

import msgspec

from kit.db import Database
from kit.tokens import digest, new_token
from locker.access import store
from locker.access.provider import Provider
from locker.access.schema import NAME_CLAIMS, StartedSignIn
from locker.access.sessions import new_code_verifier, s256_challenge

_WHOLE_PROFILE = {"scope": "openid profile"}
# The claims parameter (OpenID Connect Core §5.5). The scope would bring a dozen that nobody here reads, sex and date of
# birth among them.
_NAMES_ALONE = {
    "scope": "openid",
    "claims": msgspec.json.encode({"userinfo": {name: {"essential": True} for name in NAME_CLAIMS}}).decode(),
}


async def start_sign_in(
    db: Database,
    provider: Provider,
    *,
    browser: str,
    redirect_uri: str,
    return_to: str,
    ui_locales: str,
    lifetime_s: int,
    again: bool = False,
) -> str:
    """Address of the authorization request (OpenID Connect Core §3.1.2.1): code, PKCE, state and nonce.

    ``again`` asks the provider for a new proof, whatever session it has; ``auth_time`` in its answer says whether it
    did.
    """
    metadata = await provider.metadata()
    state = new_token()
    started = StartedSignIn(nonce=new_token(), code_verifier=new_code_verifier(), return_to=return_to)
    await store.start_sign_in(
        db, started, state_sha256=digest(state), browser_sha256=digest(browser), lifetime_s=lifetime_s
    )
    query = urlencode(
        {
            "response_type": "code",
            "client_id": provider.client_id,
            "redirect_uri": redirect_uri,
            **(_NAMES_ALONE if metadata.claims_parameter_supported else _WHOLE_PROFILE),
            "state": state,
            "nonce": started.nonce,
            "code_challenge": s256_challenge(started.code_verifier),
            "code_challenge_method": "S256",
            "acr_values": "substantial",
            "ui_locales": ui_locales,
            # The name in each script that is recorded: the page's language decides which one greets.
            "claims_locales": "fr ar zgh en",
            **({"max_age": "0"} if again else {}),
        }
    )
    return f"{metadata.authorization_endpoint}?{query}"
