from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from idp.account.schema import is_fresh
from idp.citizens.find import find_citizen
from idp.frame import AnyRequest, locale, page, see_other, session_of
from idp.sessions.browser import browser_of
from idp.sessions.cookies import session_cookie
from idp.sessions.levels import at_least
from idp.sessions.schema import Session
from idp.sign_in.form import form_of
from idp.sign_in.schema import Errand
from idp.sign_in.visit import errand_named, errand_of, language_of, visitor_of
from idp.upstream.begin import begin
from idp.upstream.finish import finish, spend_request
from idp.upstream.link import link, proof_waits, refuse
from idp.upstream.offered import find_offered, offered
from idp.upstream.refusals import UpstreamAway, UpstreamLost, UpstreamRefused
from idp.upstream.schema import Answer, Linking, LinkNeeded, Said, SignedIn
from idp.upstream.unlink import links_of, unlink
from idp.wiring import Wiring, origin_of

AnyResponse = Response[str] | Response[bytes]
_LIST = "/idp/account/upstream"
_PARAMETER_MAX = 4_096


def parts_of(wiring: Wiring) -> Linking:
    return Linking(
        db=wiring.db,
        audit=wiring.audit,
        throttle=wiring.throttle,
        secrets=wiring.secrets,
        post=wiring.post,
        issuer=wiring.settings.issuer,
        origin=origin_of(wiring.settings.issuer),
        session_lifetime_s=wiring.settings.session_lifetime_s,
    )


@post("/upstream/{slug:str}", operation_id="BeginUpstreamSignIn", status_code=200)
async def begin_upstream(request: AnyRequest, wiring: NamedDependency[Wiring], slug: FromPath[str]) -> AnyResponse:
    """A button of the sign-in page, or of the page of links. The page that answers leads on by itself: a redirect would
    be held to the form's own policy, at every hop that the other provider makes."""
    await form_of(request, wiring)
    errand, visitor = await errand_of(request, wiring), await visitor_of(request, wiring)
    upstream, citizen_id = await find_offered(wiring.db, slug), None
    if not errand.served_elsewhere:
        if errand.to != "upstream" or errand.linking:
            raise UpstreamLost
        if visitor.session is None or not _may_link(visitor.session):
            return see_other("/idp/sign-in?to=upstream")
        citizen_id = visitor.session.citizen_id
    spoken = language_of(request, errand)
    try:
        url = await begin(
            parts_of(wiring),
            wiring.upstreams,
            upstream,
            visitor,
            errand,
            citizen_id=citizen_id,
            ui_locales=spoken.tag,
        )
    except UpstreamAway:
        return _back(errand, slug, "away")
    except UpstreamRefused:
        return _back(errand, slug, "failed")
    response = page(
        request,
        wiring,
        "idp/upstream/onward.html",
        browser=visitor.browser,
        path=f"/idp/sign-in{errand.query}",
        ui_locales=errand.interaction.ui_locales if errand.interaction else None,
        name=upstream.names[spoken.value],
        url=url,
    )
    response.headers["Refresh"] = f"0; url={url}"
    return response


@get("/upstream/{slug:str}/callback", operation_id="FinishUpstreamSignIn")
async def finish_upstream(request: AnyRequest, wiring: NamedDependency[Wiring], slug: FromPath[str]) -> AnyResponse:
    """Where the other provider sends the browser back to."""
    upstream, visitor, answer = await find_offered(wiring.db, slug), await visitor_of(request, wiring), _answer(request)
    parts = parts_of(wiring)
    spent = await spend_request(parts, upstream, visitor, answer)
    errand = await errand_named(request, wiring, interaction_id=spent.interaction_id, to=spent.account_page)
    outcome = await finish(parts, wiring.upstreams, upstream, visitor, errand, spent, answer)
    if isinstance(outcome, SignedIn):
        return see_other(errand.onward, cookies=[session_cookie(outcome.session_token)])
    if isinstance(outcome, LinkNeeded):
        return see_other(f"{_LIST}/link{Errand(errand.interaction, errand.to, slug).query}")
    return _back(errand, slug, outcome.said)


@get("/account/upstream/link", operation_id="LinkUpstreamPage")
async def link_page(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    """Is the account there yours? Asked of who is signed in here with their own factors, just now."""
    errand, visitor = await errand_of(request, wiring), await visitor_of(request, wiring)
    upstream, session = await find_offered(wiring.db, errand.linking), visitor.session
    if session is None or not _may_link(session):
        return see_other(f"/idp/sign-in{errand.query}")
    if not await proof_waits(parts_of(wiring), upstream, visitor, errand, session):
        raise UpstreamLost
    return page(
        request,
        wiring,
        "idp/upstream/link.html",
        browser=visitor.browser,
        # Once the citizen has decided, they go on to whom they signed in for.
        form_action=errand.interaction.request.redirect_origin if errand.interaction else None,
        ui_locales=errand.interaction.ui_locales if errand.interaction else None,
        profile=session.locale,
        name=upstream.names[locale(request, profile=session.locale).value],
        uid=session.uid,
    )


@post("/account/upstream/link", operation_id="LinkUpstream", status_code=303)
async def link_upstream(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    form = await form_of(request, wiring)
    errand, visitor = await errand_of(request, wiring), await visitor_of(request, wiring)
    upstream, session = await find_offered(wiring.db, errand.linking), visitor.session
    if session is None or not _may_link(session):
        return see_other(f"/idp/sign-in{errand.query}")
    decide = link if form.get("decision") == "link" else refuse
    await decide(parts_of(wiring), upstream, visitor, errand, session)
    return see_other(Errand(errand.interaction, errand.to).onward)


@get("/account/upstream", operation_id="UpstreamLinksPage")
async def links_page(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    session = await session_of(request, wiring)
    if session is None or not _may_link(session):
        return see_other("/idp/sign-in?to=upstream")
    spoken = locale(request, profile=session.locale).value
    lines = await links_of(wiring.db, session.citizen_id)
    linked = {line.slug for line in lines}
    return page(
        request,
        wiring,
        "idp/upstream/links.html",
        browser=browser_of(request),
        path=_LIST,
        profile=session.locale,
        said=request.query_params.get("said"),
        links=[(line, line.names[spoken]) for line in lines],
        others=[
            (upstream.slug, upstream.names[spoken])
            for upstream in await offered(wiring.db)
            if upstream.slug not in linked
        ],
    )


@post("/account/upstream/unlink", operation_id="UnlinkUpstream", status_code=303)
async def unlink_upstream(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    form = await form_of(request, wiring)
    session = await session_of(request, wiring)
    if session is None or not _may_link(session):
        return see_other("/idp/sign-in?to=upstream")
    citizen = await find_citizen(wiring.db, session.citizen_id)
    try:
        link_id = UUID(form.get("link", ""))
    except ValueError:
        return see_other(_LIST)
    ended = citizen is not None and await unlink(parts_of(wiring), citizen, link_id)
    return see_other(f"{_LIST}?said=ended" if ended else _LIST)


def _may_link(session: Session) -> bool:
    """A fresh session of our own two factors: a link opens the account again and again."""
    return is_fresh(session) and at_least(session.acr, "substantial")


def _back(errand: Errand, slug: str, said: Said) -> AnyResponse:
    """To the page that the button stood on, with a sentence."""
    if errand.interaction is None and errand.to == "upstream":
        return see_other(f"{_LIST}?said={said}")
    joint = "&" if errand.query else "?"
    return see_other(f"/idp/sign-in{errand.query}{joint}at={slug}&said={said}")


def _answer(request: AnyRequest) -> Answer:
    """Each parameter once (RFC 6749 §3.1): one that is repeated is as good as absent."""

    def only(name: str) -> str | None:
        values = request.query_params.getall(name, [])
        return values[0] if len(values) == 1 and 0 < len(values[0]) <= _PARAMETER_MAX else None

    return Answer(state=only("state"), code=only("code"), iss=only("iss"), error=only("error"))


ROUTES = [begin_upstream, finish_upstream, link_page, link_upstream, links_page, unlink_upstream]
