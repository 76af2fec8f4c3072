import datetime as dt
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery

from idp.account.guard import sent_by, shown_to
from idp.account.refusals import NotSignedIn
from idp.account.schema import Fresh, is_fresh
from idp.authenticators.one_time_code import as_typed
from idp.authorization.interactions import choose_whom, load
from idp.authorization.refusals import InteractionOver
from idp.citizens.claims import name_of
from idp.consents.connected import connected_services
from idp.frame import AnyRequest, checked_form, locale, page, see_other, session_of
from idp.mandates import store
from idp.mandates.accept import accept
from idp.mandates.choices import choices
from idp.mandates.end import end
from idp.mandates.give import count_try, give
from idp.mandates.refusals import MandateRefused, UnknownMandate
from idp.mandates.schema import LIFETIME_MAX_DAYS, MandateLine, Mandating
from idp.sessions.browser import browser_of
from idp.sign_in.abandon import abandon
from idp.wiring import Wiring
from kit.db import Tx
from kit.errors import TooManyRequests
from kit.i18n import Message, _

AnyResponse = Response[str] | Response[bytes]
_LINES_MAX = 100


def parts_of(wiring: Wiring) -> Mandating:
    return Mandating(audit=wiring.audit, post=wiring.post)


@get("/act-for", operation_id="ActForPage", include_in_schema=False)
async def act_for_page(
    request: AnyRequest, wiring: NamedDependency[Wiring], interaction: FromQuery[str] = ""
) -> AnyResponse:
    """Asked in each request anew: nobody acts for somebody else without having said so."""
    browser = browser_of(request)
    found, session = await load(wiring.db, interaction, browser.sha256), await session_of(request, wiring)
    if found is None:
        raise InteractionOver
    if session is None:
        return see_other(f"/idp/sign-in?interaction={found.interaction_id}")
    language = locale(request, ui_locales=found.ui_locales, profile=session.locale).value
    mandates = await choices(wiring.db, session, found.request) if found.representation_allowed else ()
    return page(
        request,
        wiring,
        "idp/mandates/act_for.html",
        browser=browser,
        ui_locales=found.ui_locales,
        profile=session.locale,
        form_action=found.request.redirect_origin,
        interaction=found.interaction_id,
        client_name=found.client_name[language],
        people=[(str(one.mandate_id), name_of(one.claims, one.uid, language), one.kind) for one in mandates],
    )


@post("/act-for", operation_id="ActFor", include_in_schema=False, status_code=303)
async def act_for(
    request: AnyRequest, wiring: NamedDependency[Wiring], interaction: FromQuery[str] = ""
) -> AnyResponse:
    form = await checked_form(request, wiring)
    browser = browser_of(request)
    found, session = await load(wiring.db, interaction, browser.sha256), await session_of(request, wiring)
    if found is None:
        raise InteractionOver
    if session is None:
        await abandon(wiring.db, browser.sha256)
        raise NotSignedIn
    whom = form.get("whom", "")
    mandate_id = None
    if whom != "self":
        usable = await choices(wiring.db, session, found.request) if found.representation_allowed else ()
        mandate_id = next((one.mandate_id for one in usable if str(one.mandate_id) == whom), None)
        if mandate_id is None:
            raise UnknownMandate
    if not await choose_whom(
        wiring.db, found.interaction_id, browser.sha256, chosen_by=session.citizen_id, mandate_id=mandate_id
    ):
        raise InteractionOver
    return see_other(f"/idp/authorize/resume?interaction={found.interaction_id}")


@get("/account/mandates", operation_id="MandatesPage")
async def mandates_page(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    fresh = await shown_to(request, wiring, "mandates")
    return await _mandates(request, wiring, fresh) if isinstance(fresh, Fresh) else fresh


@post("/account/mandates", operation_id="GiveMandate", status_code=303)
async def give_mandate(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    form, fresh = await sent_by(request, wiring, "mandates")
    if not isinstance(fresh, Fresh):
        return fresh
    clients = [name.removeprefix("client:") for name in form if name.startswith("client:")]
    try:
        until = dt.date.fromisoformat(as_typed(form.get("until", "")).strip())
    except ValueError:
        return await _mandates(request, wiring, fresh, {"until": _("Enter the last day, for example 2027-06-30.")})
    try:
        await count_try(wiring.db, wiring.throttle, fresh.citizen.citizen_id)
        await wiring.db.transact(
            lambda tx: give(
                tx,
                parts_of(wiring),
                fresh.citizen.citizen_id,
                actor_uid=as_typed(form.get("uid", "")),
                until=until,
                clients=None if form.get("what") == "all" else clients,
            )
        )
    except MandateRefused as refusal:
        return await _mandates(request, wiring, fresh, _errors(refusal))
    except TooManyRequests:
        error = _("Too many attempts. Wait a little and try again.")
        return await _mandates(request, wiring, fresh, {"uid": error}, status=429)
    return see_other("/idp/account/mandates?done=given")


@post("/account/mandates/answer", operation_id="AnswerMandate", status_code=303)
async def answer_mandate(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    """Accepting takes a fresh session; ending takes any whole one."""
    form, fresh = await sent_by(request, wiring, None)
    if not isinstance(fresh, Fresh):
        return fresh
    try:
        mandate_id = UUID(form.get("mandate", ""))
    except ValueError:
        raise UnknownMandate from None
    citizen_id, accepting = fresh.citizen.citizen_id, form.get("decision") == "accept"
    if accepting and not is_fresh(fresh.session):
        return see_other("/idp/sign-in?to=mandates")

    async def once(tx: Tx) -> None:
        if accepting:
            await accept(tx, parts_of(wiring), mandate_id, actor_id=citizen_id)
        else:
            await end(tx, parts_of(wiring), mandate_id, by=citizen_id)

    await wiring.db.transact(once)
    return see_other(f"/idp/account/mandates?done={'accepted' if accepting else 'ended'}")


def _errors(refusal: MandateRefused) -> dict[str, Message]:
    match refusal.detail:
        case "actor":
            return {"uid": _("Nobody with this identifier can act for you. Ask the person for theirs.")}
        case "clients":
            return {"what": _("Choose all services, or at least one.")}
        case _:
            return {"until": _("The last day is in the future, and at most five years away.")}


async def _mandates(
    request: AnyRequest,
    wiring: Wiring,
    fresh: Fresh,
    errors: dict[str, Message] | None = None,
    *,
    status: int = 200,
) -> AnyResponse:
    language = locale(request, profile=fresh.session.locale).value
    lines = await store.select_of_citizen(wiring.db, fresh.citizen.citizen_id, count_max=_LINES_MAX)
    named = [(line, _other(line, language)) for line in lines]
    today = dt.datetime.now(dt.UTC).date()
    return page(
        request,
        wiring,
        "idp/mandates/mandates.html",
        browser=browser_of(request),
        status=422 if errors and status == 200 else status,
        path="/idp/account/mandates",
        profile=fresh.session.locale,
        errors=errors or {},
        done=request.query_params.get("done"),
        waiting=[pair for pair in named if not pair[0].mine and pair[0].accepted_at is None],
        mine=[pair for pair in named if pair[0].mine],
        theirs=[pair for pair in named if not pair[0].mine and pair[0].accepted_at is not None],
        services=await connected_services(wiring.db, fresh.citizen.citizen_id, language),
        first=today.isoformat(),
        last=(today + dt.timedelta(days=LIFETIME_MAX_DAYS - 1)).isoformat(),
    )


def _other(line: MandateLine, language: str) -> str:
    """Who has not accepted is known by the number that was typed, and by no name."""
    if line.mine and line.accepted_at is None:
        return line.actor_uid
    return name_of(line.other_claims, line.actor_uid if line.mine else line.represented_uid, language)


ROUTES = [act_for_page, act_for, mandates_page, give_mandate, answer_mandate]
