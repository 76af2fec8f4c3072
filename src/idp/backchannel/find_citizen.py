"""Whom a hint means. Nobody, somebody who is not active and a hint of no form are one answer (CIBA Core §13)."""

from idp.authenticators.one_time_code import as_typed
from idp.authorization.hints import hint_claims
from idp.backchannel.refusals import UnknownUserId
from idp.citizens.find import find_by_uid, find_citizen
from idp.citizens.schema import Citizen
from idp.clients.schema import Client
from idp.refusals import InvalidRequest, TooFast
from idp.subjects.find_owner import find_owner
from kit.db import Tx
from kit.jose import KeySet, TokenRefused
from kit.throttle import Limit, Throttle

UNKNOWN = Limit("ciba-unknown-user", 30, 600)
"""A client that names nobody this often is looking for people, or broken."""
_UID_DIGITS = 10
_HINT_MAX = 64


async def citizen_hinted(
    tx: Tx, throttle: Throttle, client: Client, hint: tuple[str, str], *, issuer: str, keys: KeySet
) -> Citizen:
    """Raises UnknownUserId, InvalidRequest for an id_token_hint that is not ours to this client, TooFast."""
    # Before anybody is looked for: a bound that only counted misses would still tell hits.
    if await throttle.attempts(tx, UNKNOWN, client.client_id) >= UNKNOWN.attempts:
        raise TooFast(headers={"Retry-After": str(UNKNOWN.per_s)})
    name, value = hint
    if name == "id_token_hint":
        value = _sub_of(value, client, issuer=issuer, keys=keys)
    citizen = await _find(tx, client, value)
    if citizen is None or citizen.state != "active":
        await throttle.count(tx, UNKNOWN, client.client_id)
        raise UnknownUserId
    return citizen


def _sub_of(id_token: str, client: Client, *, issuer: str, keys: KeySet) -> str:
    try:
        return str(hint_claims(id_token, client.client_id, issuer=issuer, keys=keys)["sub"])
    except TokenRefused:
        raise InvalidRequest("id_token_hint") from None


async def _find(tx: Tx, client: Client, hint: str) -> Citizen | None:
    """By unique identifier, or by the ``sub`` that this client knows."""
    if len(hint) > _HINT_MAX:
        return None
    digits = as_typed(hint)
    if len(digits) == _UID_DIGITS and digits.isascii() and digits.isdigit():
        return await find_by_uid(tx, digits)
    citizen_id = await find_owner(tx, client_id=client.client_id, sub=hint)
    return None if citizen_id is None else await find_citizen(tx, citizen_id)
