"""Send the browser to the other provider."""

from uuid import UUID

from idp.citizens.sealed import Sealer
from idp.sign_in.schema import Errand, Visitor
from idp.upstream import store
from idp.upstream.levels import acr_values
from idp.upstream.providers import Providers
from idp.upstream.schema import Linking, Upstream
from kit.throttle import Limit
from kit.tokens import digest, new_token

REQUEST_LIFETIME_S = 600
_BEGUN = Limit("upstream-begun", 100, 300)


def verifier_sealer(parts: Linking) -> Sealer:
    return Sealer(parts.secrets.derive("upstream-verifier"))


def place_of(state_sha256: bytes) -> str:
    return f"upstream-request|{state_sha256.hex()}"


async def begin(
    parts: Linking,
    providers: Providers,
    upstream: Upstream,
    visitor: Visitor,
    errand: Errand,
    *,
    citizen_id: UUID | None,
    ui_locales: str,
) -> str:
    """Address of the authentication request (OpenID Connect Core §3.1.2.1): code, PKCE S256, state and nonce.

    ``citizen_id`` is who asked for a link; None for a sign-in. Raises TooManyRequests, UpstreamAway, UpstreamRefused.
    """
    await parts.throttle.count(parts.db, _BEGUN, visitor.address_prefix)
    state, nonce, verifier = new_token(), new_token(), new_token()
    parameters = {
        "state": state,
        "nonce": nonce,
        # A sign-in here is a sign-in there, now: what relying parties read in auth_time stays true.
        "prompt": "login",
        "max_age": "0",
        "ui_locales": ui_locales,
    }
    if wanted := acr_values(upstream.registration, errand.acr_needed):
        parameters["acr_values"] = " ".join(wanted)
    url = await providers.authorization_url(
        upstream, redirect_uri=parts.redirect_uri(upstream.slug), code_verifier=verifier, parameters=parameters
    )
    await store.insert_request(
        parts.db,
        state_sha256=digest(state),
        browser_sha256=visitor.browser_sha256,
        slug=upstream.slug,
        interaction_id=errand.interaction.interaction_id if errand.interaction else None,
        account_page=errand.to,
        citizen_id=citizen_id,
        nonce_sha256=digest(nonce),
        verifier_sealed=verifier_sealer(parts).seal(verifier.encode(), place=place_of(digest(state))),
        lifetime_s=REQUEST_LIFETIME_S,
    )
    return url
