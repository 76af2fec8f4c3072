"""What the worker does with the signing keys: announces the next one in time, removes those that nothing needs."""

import time

from idp.keys import store
from idp.keys.refusals import RotationUnderWay
from idp.keys.ring import KeyPlace
from idp.keys.rotate import announce, due, retire
from kit.audit import Audit, AuditEvent
from kit.db import Database

LEASE_S = 600


async def keep_rotating(
    db: Database, audit: Audit, place: KeyPlace, *, lifetime_s: int, longest_token_lifetime_s: int
) -> list[str]:
    """The names of the keys that this round announced.

    Any number of workers on one place: a lease in the database lets one act on an algorithm, and ``announce`` looks
    again at what is there, so that who comes later finds it done.
    """
    announced = []
    if lifetime_s:
        for alg in due(await place.read(), lifetime_s=lifetime_s, now=time.time()):
            if await store.claim_rotation(db, alg, lease_s=LEASE_S):
                try:
                    announced.append(await announce(place, alg))
                except RotationUnderWay:
                    continue
    await _record(db, audit, "keys.rotated", announced)
    await _record(db, audit, "keys.retired", await retire(place, longest_token_lifetime_s=longest_token_lifetime_s))
    return announced


async def _record(db: Database, audit: Audit, action: str, names: list[str]) -> None:
    if names:
        await audit.append(db, AuditEvent(action=action, actor_kind="system", detail={"keys": names}))
