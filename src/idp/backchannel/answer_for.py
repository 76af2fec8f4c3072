"""An answer in a citizen's place, for tests of relying parties: the same way as through the pages, without them.

Whoever calls this has made sure that the deployment is not in production.
"""

from idp.authorization.confirm import confirm
from idp.authorization.interactions import load
from idp.authorization.proceed import keep, refuse, resume
from idp.authorization.refusals import AuthorizationError, InteractionOver
from idp.authorization.schema import Interaction
from idp.backchannel.schema import WaitingService
from idp.consents.give import give
from idp.sessions.current import current
from idp.sessions.schema import Session
from idp.sessions.start import start
from idp.wiring import Wiring
from kit.tokens import digest, new_token

_SESSION_LIFETIME_S = 60


async def allow_for(wiring: Wiring, waiting: WaitingService) -> None:
    """With everything that was asked for, at the level that was asked for. Raises InteractionOver."""
    browser_sha256 = digest(new_token())
    session, interaction = await _session(wiring, waiting), await _interaction(wiring, waiting, browser_sha256)
    await confirm(wiring.db, interaction, browser_sha256=browser_sha256)
    await give(
        wiring.db,
        wiring.audit,
        waiting.request,
        session=session,
        optional=sorted(waiting.request.claim_names()),
        purpose=dict(waiting.purpose) or None,
    )
    confirmed = await load(wiring.db, interaction.interaction_id, browser_sha256)
    if confirmed is None:
        raise InteractionOver
    await resume(wiring.provider, confirmed, waiting.sector, session=session, browser_sha256=browser_sha256)


async def deny_for(wiring: Wiring, waiting: WaitingService) -> None:
    browser_sha256 = digest(new_token())
    session, interaction = await _session(wiring, waiting), await _interaction(wiring, waiting, browser_sha256)
    error = AuthorizationError("access_denied")
    await refuse(wiring.provider, interaction, error, session=session, browser_sha256=browser_sha256)


async def _session(wiring: Wiring, waiting: WaitingService) -> Session:
    started = await wiring.db.transact(
        lambda tx: start(
            tx,
            wiring.audit,
            citizen_id=waiting.citizen_id,
            acr=waiting.request.acr_needed,
            amr=["user"],
            browser_label="khizana ciba",
            lifetime_s=_SESSION_LIFETIME_S,
        )
    )
    session = await current(wiring.db, started.token)
    if session is None:
        raise InteractionOver
    return session


async def _interaction(wiring: Wiring, waiting: WaitingService, browser_sha256: bytes) -> Interaction:
    interaction_id = await keep(wiring.provider, waiting.request, browser_sha256)
    interaction = await load(wiring.db, interaction_id, browser_sha256)
    if interaction is None:
        raise InteractionOver
    return interaction
