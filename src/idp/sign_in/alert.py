from uuid import UUID

from idp.alerts.alert import alert_if_new
from idp.sessions.start import Started
from idp.sign_in.schema import SignIn, Visitor
from kit.db import Tx


async def alert(tx: Tx, parts: SignIn, visitor: Visitor, citizen_id: UUID, started: Started) -> None:
    """Every session that begins passes here, so that its owner hears of one that looks new."""
    await alert_if_new(
        tx,
        parts.secrets,
        parts.post,
        origin=parts.site.origin,
        citizen_id=citizen_id,
        sid=started.sid,
        browser_label=visitor.browser_label,
        address_prefix=visitor.address_prefix,
    )
