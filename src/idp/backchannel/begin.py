"""A service asks a citizen: the request is kept, and the citizen is told on every channel (CIBA Core §7.1, §8).

Asking many times until somebody gives in (prompt bombing) is stopped by counting what was asked and not allowed.
"""

import secrets as random

import msgspec

from idp.backchannel import store
from idp.backchannel.refusals import AccessDenied
from idp.backchannel.schema import INTERVAL_S, Asking, Backchannel, BackchannelAuthenticationResponse, Told
from idp.backchannel.sealing import sealed
from idp.citizens.schema import Citizen
from idp.freezing.frozen import service_is_frozen
from idp.messages.notices import service_asks
from kit.audit import AuditEvent
from kit.db import Tx
from kit.i18n import Locale
from kit.ids import new_id
from kit.throttle import Limit
from kit.tokens import digest, new_token

CITIZEN = Limit("ciba-citizen", 10, 3_600)
WAITING_MAX = 3
_NUMBERS = 3


async def begin(parts: Backchannel, asking: Asking, citizen: Citizen) -> BackchannelAuthenticationResponse:
    """Raises AccessDenied where the citizen shut this client out, or has been asked too often."""
    auth_req_id = new_token()
    numbers = None if asking.binding_message else random.SystemRandom().sample(range(10, 100), _NUMBERS)
    number = None if numbers is None else random.choice(numbers)
    request = msgspec.structs.replace(asking.request, kind="ciba", waiting_sha256=digest(auth_req_id), login_hint=None)

    async def once(tx: Tx) -> bool:
        if not await _may_ask(tx, parts, asking, citizen):
            return False
        await store.insert(
            tx,
            auth_req_id_sha256=digest(auth_req_id),
            request_id=new_id(),
            citizen_id=citizen.citizen_id,
            request=request,
            binding_message=asking.binding_message,
            number=number,
            numbers=numbers,
            interval_s=INTERVAL_S,
            lifetime_s=asking.lifetime_s,
            notification_sealed=_notification(parts, asking, auth_req_id),
        )
        await _tell(tx, parts, asking, citizen)
        return True

    if not await parts.db.transact(once):
        raise AccessDenied
    return BackchannelAuthenticationResponse(
        auth_req_id=auth_req_id,
        expires_in=asking.lifetime_s,
        interval=INTERVAL_S,
        number_to_match=msgspec.UNSET if number is None else str(number),
    )


async def _may_ask(tx: Tx, parts: Backchannel, asking: Asking, citizen: Citizen) -> bool:
    client_id = asking.request.client_id
    if await store.is_blocked(tx, citizen.citizen_id, client_id):
        return False
    if await service_is_frozen(tx, [citizen.citizen_id], client_id):
        return False
    if citizen.uid in parts.unthrottled_uids:
        return True
    if not await parts.throttle.count(tx, CITIZEN, str(citizen.citizen_id), blocks=False):
        return False
    return await store.count_waiting(tx, citizen.citizen_id) < WAITING_MAX


def _notification(parts: Backchannel, asking: Asking, auth_req_id: str) -> bytes | None:
    if asking.notification_token is None:
        return None
    return sealed(parts.secrets, Told(auth_req_id=auth_req_id, token=asking.notification_token))


async def _tell(tx: Tx, parts: Backchannel, asking: Asking, citizen: Citizen) -> None:
    await parts.post.tell(
        tx,
        citizen_id=citizen.citizen_id,
        claims=citizen.claims,
        notice=service_asks(lifetime_s=asking.lifetime_s),
        locale=Locale(citizen.locale),
    )
    await parts.audit.append(
        tx,
        AuditEvent(
            action="ciba.asked",
            actor_kind="client",
            actor=asking.request.client_id,
            owner=str(citizen.citizen_id),
            object_id=asking.request.client_id,
            detail={"scopes": list(asking.request.scopes), "acr": asking.request.acr_needed},
        ),
    )
