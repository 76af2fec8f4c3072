from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency

from idp.account.guard import parts_of, sent_by, shown_to
from idp.account.refusals import NotSignedIn
from idp.account.schema import Fresh
from idp.authenticators.passkeys_of import passkeys_of
from idp.authenticators.refusals import LastSecondFactor
from idp.authenticators.rename_passkey import NAME_MAX
from idp.frame import AnyRequest, locale, page, see_other
from idp.passkeys.add import add
from idp.passkeys.change import change
from idp.passkeys.offer import offer
from idp.sessions.browser import browser_of
from idp.sign_in.back import back_of
from idp.wiring import Wiring
from kit.errors import NotFound
from kit.i18n import Message, _

AnyResponse = Response[str] | Response[bytes]


@get("/account/passkeys", operation_id="PasskeysPage")
async def passkeys_page(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    fresh = await shown_to(request, wiring, "passkeys", back=back_of(request))
    return await _passkeys(request, wiring, fresh) if isinstance(fresh, Fresh) else fresh


@get("/account/passkeys/options", operation_id="NewPasskeyOptions", include_in_schema=False)
async def options(request: AnyRequest, wiring: NamedDependency[Wiring]) -> dict[str, Any]:
    fresh = await shown_to(request, wiring, "passkeys")
    if not isinstance(fresh, Fresh):
        raise NotSignedIn
    return await offer(
        parts_of(wiring),
        fresh,
        browser_sha256=browser_of(request).sha256,
        language=locale(request, profile=fresh.session.locale).value,
    )


@post("/account/passkeys", operation_id="AddPasskey", status_code=303)
async def add_one(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    form, fresh = await sent_by(request, wiring, "passkeys")
    if not isinstance(fresh, Fresh):
        return fresh
    outcome = await add(
        parts_of(wiring),
        fresh,
        form.get("passkey", ""),
        name=form.get("name", ""),
        browser_sha256=browser_of(request).sha256,
    )
    if outcome == "nameless":
        return await _passkeys(
            request, wiring, fresh, {"name": _("Give it a name, for example: my phone.")}, status=422
        )
    if outcome == "refused":
        error = _("This passkey could not be set up. Try again, or on another device.")
        return await _passkeys(request, wiring, fresh, {"passkey-add": error}, status=422)
    return see_other(f"/idp/account/passkeys?done=added{_waiting(request)}")


@post("/account/passkeys/rename", operation_id="RenamePasskey", status_code=303)
async def rename(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    form, fresh = await sent_by(request, wiring, "passkeys")
    if not isinstance(fresh, Fresh):
        return fresh
    if not await change(parts_of(wiring), fresh, _id(form), "rename", name=form.get("name", "")):
        raise NotFound
    return see_other(f"/idp/account/passkeys?done=renamed{_waiting(request)}")


@post("/account/passkeys/remove", operation_id="RemovePasskey", status_code=303)
async def remove(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    form, fresh = await sent_by(request, wiring, "passkeys")
    if not isinstance(fresh, Fresh):
        return fresh
    try:
        if not await change(parts_of(wiring), fresh, _id(form), "remove"):
            raise NotFound
    except LastSecondFactor:
        error = _("This is your only second step. Set up another one first.")
        return await _passkeys(request, wiring, fresh, {"passkeys": error}, status=409)
    return see_other(f"/idp/account/passkeys?done=removed{_waiting(request)}")


def _id(form: dict[str, str]) -> UUID:
    try:
        return UUID(form.get("passkey_id", ""))
    except ValueError:
        raise NotFound from None


def _waiting(request: AnyRequest) -> str:
    back = back_of(request)
    return f"&back={back}" if back else ""


async def _passkeys(
    request: AnyRequest, wiring: Wiring, fresh: Fresh, errors: dict[str, Message] | None = None, *, status: int = 200
) -> AnyResponse:
    back = back_of(request)
    return page(
        request,
        wiring,
        "idp/passkeys/passkeys.html",
        browser=browser_of(request),
        status=status,
        path="/idp/account/passkeys" + (f"?back={back}" if back else ""),
        profile=fresh.session.locale,
        errors=errors or {},
        done=request.query_params.get("done"),
        passkeys=await passkeys_of(wiring.db, fresh.citizen.citizen_id),
        name_max=NAME_MAX,
        back=back,
    )


ROUTES = [passkeys_page, options, add_one, rename, remove]
