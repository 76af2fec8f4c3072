"""For whom a signed-in person may act in one request. Only one's own mandates count, so there is no chain of them."""

from collections.abc import Sequence

from idp.authorization.schema import ACR_RANK, AuthorizationRequest
from idp.citizens.schema import Proofing
from idp.clients.schema import Acr
from idp.clients.scopes import CLAIMS_OF_SCOPE
from idp.mandates import store
from idp.mandates.schema import Mandate
from idp.sessions.schema import Session
from kit.db import Tx

CHOICES_MAX = 20
_HIGHEST: dict[Proofing, Acr] = {"none": "low", "remote": "substantial", "desk": "high"}
_ABOUT_THE_SIGN_IN = frozenset({"acr", "auth_time", "sub", "amr"})


async def choices(tx: Tx, session: Session, request: AuthorizationRequest) -> Sequence[Mandate]:
    """Those that would give what is asked: all its scopes and claims, at the level that it needs."""
    if request.kind != "authorization_code":
        # A back channel asks one person by name, and a device is nobody's.
        return ()
    usable = await store.select_usable(
        tx, session.citizen_id, client_id=request.client_id, scopes=request.scopes, count_max=CHOICES_MAX
    )
    return [
        mandate
        for mandate in usable
        if _within(mandate, request) and ACR_RANK[acr_for(mandate, session)] >= ACR_RANK[request.acr_needed]
    ]


def acr_for(mandate: Mandate, session: Session) -> Acr:
    """No higher than the represented could reach: how well they are known does not grow by who speaks for them."""
    return min(session.acr, _HIGHEST[mandate.proofing], key=ACR_RANK.__getitem__)


def _within(mandate: Mandate, request: AuthorizationRequest) -> bool:
    """A mandate for named scopes gives no claim that stands outside them."""
    if mandate.scopes is None:
        return True
    covered = {name for scope in mandate.scopes for name in CLAIMS_OF_SCOPE.get(scope, ())}
    asked = {name.partition("#")[0] for name in request.claim_names()} - _ABOUT_THE_SIGN_IN
    return asked <= covered and not request.authorization_details
