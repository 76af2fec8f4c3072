from collections.abc import Mapping

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery

from idp.authorization.interactions import load
from idp.authorization.proceed import PageNeeded, Settled, begin, resume
from idp.authorization.prompts import Next
from idp.authorization.push import PushedResponse, push
from idp.authorization.pushed import PUSHED, pushed
from idp.authorization.receive import receive
from idp.authorization.refusals import (
    AuthorizationError,
    InteractionOver,
    NotRedirected,
    RequestUnreadable,
    UnknownClient,
    UnregisteredRedirect,
)
from idp.authorization.respond import AuthorizationResponse, failure
from idp.authorization.schema import Kind, ReplyTo, origin_of
from idp.authorization.steps import MODES, Asked
from idp.authorization.validate import validate
from idp.clients.find import find_client
from idp.clients.may_redirect import may_redirect
from idp.clients.schema import Client
from idp.frame import AnyRequest, headers_of, page, see_other, session_of
from idp.parameters import Parameters, of_form, of_query
from idp.problem import CLIENT_S_FORM
from idp.purposes.hold import hold
from idp.refusals import InvalidRequest
from idp.sessions.browser import Browser, browser_of
from idp.wiring import Wiring
from kit.edge import address_prefix, client_address

_PAGES: Mapping[Next, str] = {
    "login": "/idp/sign-in",
    "device": "/idp/device/confirm",
    "ciba": "/idp/account/requests/confirm",
    "act-for": "/idp/act-for",
    "consent": "/idp/consent",
}
_SETTLED: Mapping[Kind, str] = {"device_code": "/idp/device/done", "ciba": "/idp/account/requests"}


@get("/authorize", operation_id="Authorize", include_in_schema=True)
async def authorize(request: AnyRequest, wiring: NamedDependency[Wiring]) -> Response[bytes] | Response[str]:
    """The authorization endpoint (RFC 6749 §3.1, OpenID Connect Core §3.1.2)."""
    try:
        parameters = of_query(request)
    except InvalidRequest as refusal:
        # A repeated parameter may be the redirect_uri itself, so nothing is redirected (O-04).
        raise NotRedirected(refusal.detail) from None
    return await _authorize(request, wiring, parameters)


@post("/authorize", operation_id="AuthorizeByPost", status_code=303)
async def authorize_by_post(request: AnyRequest, wiring: NamedDependency[Wiring]) -> Response[bytes] | Response[str]:
    """The same by POST. It is a protocol message of the relying party's, so it carries no token of ours."""
    try:
        parameters = await of_form(request)
    except InvalidRequest as refusal:
        raise NotRedirected(refusal.detail) from None
    return await _authorize(request, wiring, parameters)


@get("/authorize/resume", operation_id="ResumeAuthorization", include_in_schema=False)
async def resume_authorization(
    request: AnyRequest, wiring: NamedDependency[Wiring], interaction: FromQuery[str] = ""
) -> Response[bytes] | Response[str]:
    """Where the pages lead back to."""
    browser = browser_of(request)
    found = await load(wiring.db, interaction, browser.sha256)
    if found is None:
        raise InteractionOver
    client = await find_client(wiring.db, wiring.clients, found.client_id)
    if client is None:
        raise InteractionOver
    outcome = await resume(
        wiring.provider,
        found,
        client.sector,
        session=await session_of(request, wiring),
        browser_sha256=browser.sha256,
    )
    return answer(request, wiring, outcome, browser)


@post("/par", operation_id="PushAuthorizationRequest", status_code=201, responses=CLIENT_S_FORM)
async def push_authorization_request(request: AnyRequest, wiring: NamedDependency[Wiring]) -> Response[PushedResponse]:
    """The pushed authorization request endpoint (RFC 9126 §2)."""
    proof = wiring.proofs.of(request, path="/par")
    pushed_response = await push(
        wiring.client_authentication,
        wiring.reception,
        headers_of(request),
        await of_form(request),
        scopes=await wiring.scopes.current(),
        keys=wiring.keys.current(),
        throttle=wiring.throttle,
        address_prefix=address_prefix(client_address(request.scope)),
        audit=wiring.audit,
        proof=proof,
    )
    return Response(pushed_response, headers={"Cache-Control": "no-store", **(wiring.proofs.nonce() if proof else {})})


async def _authorize(request: AnyRequest, wiring: Wiring, parameters: Parameters) -> Response[bytes] | Response[str]:
    if "client_id" not in parameters:
        raise NotRedirected("client_id is missing")
    browser = browser_of(request)
    session = await session_of(request, wiring)
    if parameters.get("request_uri", "").startswith(PUSHED):
        found = await pushed(
            wiring.db, wiring.clients, client_id=parameters["client_id"], request_uri=parameters["request_uri"]
        )
        outcome = await begin(
            wiring.provider,
            found.request,
            found.client,
            session=session,
            browser_sha256=browser.sha256,
        )
        return answer(request, wiring, outcome, browser)
    client = await find_client(wiring.db, wiring.clients, parameters["client_id"])
    if client is None or client.state != "active":
        raise UnknownClient
    try:
        received = await receive(wiring.reception, parameters, client, endpoint="authorize")
        parameters = received.parameters
        asked = Asked(
            endpoint="authorize",
            parameters=parameters,
            signed=received.signed,
            client=client,
            scopes=await wiring.scopes.current(),
            issuer=wiring.settings.issuer,
            keys=wiring.keys.current(),
        )
        validated = validate(asked)
        await hold(wiring.db, wiring.audit, validated, is_proven=received.signed)
    except AuthorizationError as error:
        refused = await failure(
            reply_to(parameters, client, error), error, issuer=wiring.settings.issuer, keys=wiring.keys.current()
        )
        return answer(request, wiring, refused, browser)
    outcome = await begin(wiring.provider, validated, client, session=session, browser_sha256=browser.sha256)
    return answer(request, wiring, outcome, browser)


def reply_to(parameters: Parameters, client: Client, error: AuthorizationError) -> ReplyTo:
    """Where an error goes before the request is known to be good; a page where nothing that is named is registered."""
    redirect_uri = parameters.get("redirect_uri")
    if error.error in ("invalid_request_object", "invalid_request_uri") and not may_redirect(client, redirect_uri):
        # The address may stand in the object that could not be read.
        raise RequestUnreadable(error)
    if redirect_uri is None:
        raise NotRedirected("redirect_uri is missing")
    if not may_redirect(client, redirect_uri):
        raise UnregisteredRedirect("redirect_uri is not registered")
    return ReplyTo(
        client_id=client.client_id,
        redirect_uri=redirect_uri,
        response_mode=MODES.get(parameters.get("response_mode", "query"), "query"),
        signing_alg=client.metadata.authorization_signed_response_alg or "ES256",
        state=parameters.get("state"),
    )


def answer(
    request: AnyRequest, wiring: Wiring, outcome: AuthorizationResponse | PageNeeded | Settled, browser: Browser
) -> Response[bytes] | Response[str]:
    """303 to the next page or to the relying party; with form_post a page that posts (OAuth 2.0 Form Post §2)."""
    if isinstance(outcome, PageNeeded):
        return see_other(f"{_PAGES[outcome.page]}?interaction={outcome.interaction_id}", cookies=browser.cookies)
    if isinstance(outcome, Settled):
        return see_other(f"{_SETTLED[outcome.kind]}?allowed={str(outcome.allowed).lower()}", cookies=browser.cookies)
    if outcome.form_post:
        return page(
            request,
            wiring,
            "idp/authorization/form_post.html",
            browser=browser,
            form_action=origin_of(outcome.redirect_uri),
            redirect_uri=outcome.redirect_uri,
            parameters=outcome.parameters,
        )
    return see_other(outcome.location, cookies=browser.cookies)


ROUTES = [authorize, authorize_by_post, push_authorization_request, resume_authorization]
