"""One key after another without anybody meeting an unknown one: announced a day before it signs, kept until the last
token of its predecessor has expired (provider.md, Client profiles)."""

import itertools
import time
from collections.abc import Iterable, Sequence

from idp.keys.refusals import KeyUnknown, RotationUnderWay
from idp.keys.ring import NEEDED, KeyPlace, Placed
from kit.jose import ASYMMETRIC, Algorithm

PUBLISHED_BEFORE_USE_S = 24 * 3_600


async def make(place: KeyPlace, algorithms: Iterable[Algorithm]) -> list[str]:
    """The first keys of a deployment; they sign at once. What is there stays."""
    there = {one.alg for one in await place.read()}
    now = int(time.time())
    return [await place.create(alg, activates_at=now) for alg in algorithms if alg not in there]


async def announce(place: KeyPlace, alg: Algorithm) -> str:
    """The next key. RotationUnderWay where one is announced already: two at once would leave one unused."""
    now = time.time()
    if any(one.alg == alg and one.activates_at > now for one in await place.read()):
        raise RotationUnderWay(alg)
    return await place.create(alg, activates_at=int(now) + PUBLISHED_BEFORE_USE_S)


async def replace(place: KeyPlace, alg: Algorithm) -> str:
    """After a theft: a key that signs from now on. Who caches our keys meets it on an unknown ``kid``."""
    now = int(time.time())
    active = [one.activates_at for one in await place.read() if one.alg == alg and one.activates_at <= now]
    return await place.create(alg, activates_at=max(now, *(at + 1 for at in active)) if active else now)


async def retire(place: KeyPlace, *, longest_token_lifetime_s: int) -> list[str]:
    """Remove keys whose successor has signed for longer than any token lives; their names."""
    return [
        await _removed(place, one)
        for one in superseded(await place.read(), before=time.time() - longest_token_lifetime_s)
    ]


async def withdraw(place: KeyPlace, kid: str) -> str:
    """After a theft: what the key signed is refused from now on, in every process within half a minute.

    Not the last active one of an algorithm that every provider needs.
    """
    placed, now = await place.read(), time.time()
    for one in placed:
        if one.key.kid == kid:
            others = {other.alg for other in placed if other is not one and other.activates_at <= now}
            if one.alg in NEEDED - others:
                raise RotationUnderWay("make its successor first: khizana keys rotate --at-once")
            return await _removed(place, one)
    raise KeyUnknown


def superseded(placed: Sequence[Placed], *, before: float) -> list[Placed]:
    """Keys that stopped to sign before that moment."""
    found = []
    for alg in ASYMMETRIC:
        ours = sorted((one for one in placed if one.alg == alg), key=lambda one: one.activates_at)
        found += [one for one, successor in itertools.pairwise(ours) if successor.activates_at < before]
    return found


def due(placed: Sequence[Placed], *, lifetime_s: int, now: float) -> list[Algorithm]:
    """Algorithms whose latest key will have signed for ``lifetime_s`` by the time that its successor may."""
    latest: dict[Algorithm, int] = {}
    for one in placed:
        latest[one.alg] = max(one.activates_at, latest.get(one.alg, 0))
    return [alg for alg in ASYMMETRIC if alg in latest and latest[alg] + lifetime_s <= now + PUBLISHED_BEFORE_USE_S]


async def _removed(place: KeyPlace, placed: Placed) -> str:
    await place.remove(placed)
    return placed.name
