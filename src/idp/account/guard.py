"""Who may see and change what guards an account: a whole session, and for most of it a fresh one (L-06, L-30)."""

from litestar import Response

from idp.account.refusals import NotSignedIn
from idp.account.schema import Account, Fresh, is_fresh
from idp.authenticators.passkey import Site
from idp.citizens.find import find_citizen
from idp.frame import AnyRequest, see_other, session_of
from idp.sessions.browser import browser_of
from idp.sessions.levels import at_least
from idp.sessions.schema import Session
from idp.sign_in.abandon import abandon
from idp.sign_in.form import form_of
from idp.wiring import Wiring


def parts_of(wiring: Wiring) -> Account:
    return Account(
        db=wiring.db,
        audit=wiring.audit,
        throttle=wiring.throttle,
        secrets=wiring.secrets,
        passwords=wiring.passwords,
        post=wiring.post,
        one_time_code_lifetime_s=wiring.settings.one_time_code_lifetime_s,
        breached=wiring.breached,
        site=Site.of(wiring.settings.issuer),
    )


def whole(session: Session | None) -> bool:
    return session is not None and at_least(session.acr, "substantial")


async def shown_to(request: AnyRequest, wiring: Wiring, to: str, *, back: str = "") -> Fresh | Response[bytes]:
    """For a page that changes what guards the account: a fresh session, or the way to one. ``back`` is the interaction
    that waits."""
    session = await session_of(request, wiring)
    if session is None or not whole(session) or not is_fresh(session):
        return see_other(f"/idp/sign-in?to={to}" + (f"&back={back}" if back else ""))
    citizen = await find_citizen(wiring.db, session.citizen_id)
    return see_other("/idp/sign-in") if citizen is None else Fresh(session, citizen)


async def sent_by(
    request: AnyRequest, wiring: Wiring, to: str | None
) -> tuple[dict[str, str], Fresh | Response[bytes]]:
    """The form and who sent it. ``to`` is None where no fresh session is needed. Raises NotSignedIn, CrossSite."""
    session = await session_of(request, wiring)
    if session is None or not whole(session):
        await abandon(wiring.db, browser_of(request).sha256)
        raise NotSignedIn
    form = await form_of(request, wiring)
    if to is not None and not is_fresh(session):
        return form, see_other(f"/idp/sign-in?to={to}")
    citizen = await find_citizen(wiring.db, session.citizen_id)
    if citizen is None:
        raise NotSignedIn
    return form, Fresh(session, citizen)
