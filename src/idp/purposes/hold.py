"""A service asks at sign-in for no more of a citizen's documents than is registered."""

from idp.authorization.details import DetailsRefused
from idp.authorization.schema import AuthorizationRequest
from idp.purposes import store
from idp.purposes.held import beyond, known
from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx


async def hold(db: Database, audit: Audit, request: AuthorizationRequest, *, is_proven: bool) -> None:
    """Raises DetailsRefused for a detail of no registered purpose, and for one that is wider than its purpose.

    The latter is counted for all to see where the client proved who it is (``is_proven``): anybody can write a link
    in a service's name.
    """
    details = request.authorization_details
    registered = await known(db, request.client_id, details)
    if any(detail.purpose not in registered for detail in details):
        raise DetailsRefused("purpose: none of that name is registered for this client")
    if wider := beyond(details, registered):
        if is_proven:
            await _count(db, audit, request.client_id, wider)
        raise DetailsRefused("more than what is registered for this purpose")


async def _count(db: Database, audit: Audit, client_id: str, wider: list[str]) -> None:
    async def within(tx: Tx) -> None:
        await store.count_refused(tx, client_id=client_id)
        await audit.append(
            tx,
            AuditEvent(
                action="authorization.too-wide",
                actor_kind="client",
                actor=client_id,
                object_id=client_id,
                result="invalid_authorization_details",
                detail={"beyond": wider[:20]},
            ),
        )

    await db.transact(within)
