"""Who comes to a page of a sign-in, and why."""

import re

from idp.authorization.interactions import load
from idp.authorization.refusals import InteractionOver
from idp.frame import AnyRequest, locale, session_of
from idp.sessions.browser import browser_label, browser_of
from idp.sign_in.back import back_of
from idp.sign_in.schema import ACCOUNT_PAGES, Errand, Visitor
from idp.wiring import Wiring
from kit.edge import address_prefix, client_address
from kit.i18n import Locale

_LINKING = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")


async def errand_of(request: AnyRequest, wiring: Wiring) -> Errand:
    """Raises InteractionOver for one that is unknown, over, or another browser's."""
    query = request.query_params
    linking = query.get("link", "")
    return await errand_named(
        request,
        wiring,
        interaction_id=query.get("interaction"),
        to=query.get("to", ""),
        linking=linking if _LINKING.fullmatch(linking) else "",
    )


async def errand_named(
    request: AnyRequest, wiring: Wiring, *, interaction_id: str | None, to: str, linking: str = ""
) -> Errand:
    """Raises InteractionOver."""
    if interaction_id is None:
        return Errand(None, to if to in ACCOUNT_PAGES else "", linking, back_of(request))
    if not interaction_id.isascii() or not interaction_id.isprintable():
        raise InteractionOver
    interaction = await load(wiring.db, interaction_id, browser_of(request).sha256)
    if interaction is None:
        raise InteractionOver
    return Errand(interaction, linking=linking)


async def visitor_of(request: AnyRequest, wiring: Wiring) -> Visitor:
    return Visitor(
        browser=browser_of(request),
        address_prefix=address_prefix(client_address(request.scope)),
        browser_label=browser_label(request.headers.get("user-agent", "")),
        session=await session_of(request, wiring),
    )


def language_of(request: AnyRequest, errand: Errand) -> Locale:
    return locale(request, ui_locales=errand.interaction.ui_locales if errand.interaction else None)
