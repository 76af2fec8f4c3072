from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency

from idp.account.refusals import NotSignedIn
from idp.account.schema import is_fresh
from idp.frame import AnyRequest, locale, page, see_other, session_of
from idp.freezing.freeze import freeze
from idp.freezing.refusals import NothingToFreeze
from idp.freezing.schema import Authenticator, Freezing, Identity, Service, Target
from idp.freezing.thaw import thaw
from idp.freezing.view import freezables
from idp.sessions.browser import browser_of
from idp.sessions.cookies import no_session_cookie
from idp.sessions.levels import at_least
from idp.sign_in.abandon import abandon
from idp.sign_in.form import form_of
from idp.wiring import Wiring
from kit.db import Tx

AnyResponse = Response[str] | Response[bytes]
_DONE = {"frozen", "thawed"}


def parts_of(wiring: Wiring) -> Freezing:
    return Freezing(audit=wiring.audit, post=wiring.post)


@get("/account/freeze", operation_id="FreezePage")
async def freeze_page(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    """Any session is enough: a thief of the phone has the second step, and the citizen only the password."""
    session = await session_of(request, wiring)
    if session is None:
        return see_other("/idp/sign-in?to=freeze")
    spoken = locale(request, profile=session.locale)
    done = request.query_params.get("done")
    return page(
        request,
        wiring,
        "idp/freezing/freeze.html",
        browser=browser_of(request),
        path="/idp/account/freeze",
        profile=session.locale,
        held=await freezables(wiring.db, session.citizen_id, spoken.value),
        whole=at_least(session.acr, "substantial"),
        done=done if done in _DONE else None,
    )


@post("/account/freeze", operation_id="Freeze", status_code=303)
async def freeze_now(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    session = await session_of(request, wiring)
    if session is None:
        await abandon(wiring.db, browser_of(request).sha256)
        raise NotSignedIn
    target = await _target(wiring, await form_of(request, wiring), session.citizen_id)

    async def once(tx: Tx) -> None:
        await freeze(tx, parts_of(wiring), session.citizen_id, target, because="by-the-citizen", except_sid=session.sid)

    await wiring.db.transact(once)
    wiring.logout_delivery.kick()
    if isinstance(target, Identity):
        return see_other("/idp/frozen", cookies=[no_session_cookie()])
    return see_other("/idp/account/freeze?done=frozen")


@post("/account/thaw", operation_id="Thaw", status_code=303)
async def thaw_now(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    session = await session_of(request, wiring)
    if session is None:
        await abandon(wiring.db, browser_of(request).sha256)
        raise NotSignedIn
    target = await _target(wiring, await form_of(request, wiring), session.citizen_id)
    if isinstance(target, Identity):
        raise NothingToFreeze
    if not at_least(session.acr, "substantial") or not is_fresh(session):
        return see_other("/idp/sign-in?to=thaw")

    async def once(tx: Tx) -> None:
        await thaw(tx, parts_of(wiring), session.citizen_id, target, signed_in_at=session.auth_time)

    await wiring.db.transact(once)
    return see_other("/idp/account/freeze?done=thawed")


@get("/frozen", operation_id="FrozenPage")
async def frozen_page(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    """After everything was frozen: nobody is signed in any more."""
    return page(request, wiring, "idp/freezing/frozen.html", browser=browser_of(request))


@get("/unfreeze", operation_id="UnfreezePage")
async def unfreeze_page(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    """The two ways of a frozen citizen, each by two factors: open it again, or say that somebody else asked."""
    return page(
        request,
        wiring,
        "idp/freezing/unfreeze.html",
        browser=browser_of(request),
        waiting_hours=max(1, wiring.settings.unfreeze_waiting_s // 3600),
    )


async def _target(wiring: Wiring, form: dict[str, str], citizen_id: UUID) -> Target:
    """Raises NothingToFreeze for what is not this citizen's."""
    what = form.get("what", "")
    if what == "identity":
        return Identity()
    kind, _, name = what.partition(":")
    held = await freezables(wiring.db, citizen_id, "en")
    if kind == "service" and name in {service.name for service in held.services}:
        return Service(name)
    if kind == "authenticator" and name in {method.name for method in held.authenticators}:
        return Authenticator(name)
    raise NothingToFreeze


ROUTES = [freeze_page, freeze_now, thaw_now, frozen_page, unfreeze_page]
