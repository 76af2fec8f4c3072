"""The provider's signing keys, as a running process holds them: read from their place, answered from memory.

A key has an algorithm and the moment from which it signs. It is published from its appearance, signs from
``activates_at`` (seconds since 1970) until the next of its algorithm takes over, and stays published until it is
retired, when the last token that it signed has expired.
"""

import logging
import time
from collections.abc import Sequence
from typing import Protocol

import msgspec

from kit.jose import Algorithm, DeviceKey, KeySet, SigningKey
from kit.rereading import Rereading

REREAD_S = 30.0
NEEDED: frozenset[Algorithm] = frozenset({"ES256", "RS256"})
"""What every provider signs with: our default, and what OpenID Connect Core §15.1 wants."""

log = logging.getLogger("khizana.keys")


class Placed(msgspec.Struct, frozen=True):
    """A key in its place; ``name`` is ``ALG-activates_at`` there."""

    name: str
    alg: Algorithm
    activates_at: int
    key: SigningKey | DeviceKey


class KeyPlace(Protocol):
    """Where private keys live: a folder of ours, or a device that keeps them."""

    fresh: bool
    """Did the last reading reach the place itself, or is it what was known before?"""

    async def read(self) -> Sequence[Placed]:
        """All keys; each parsed once. Unavailable where the place is away and nothing is known of it."""

    async def create(self, alg: Algorithm, *, activates_at: int) -> str: ...

    async def remove(self, placed: Placed) -> None: ...

    def close(self) -> None: ...


class KeysMissing(Exception):
    """There is no active key of an algorithm that every provider signs with."""


class KeyRing:
    """``current`` answers from memory, so that a key's place may be away while its public half is still served."""

    def __init__(self, place: KeyPlace, *, reread_s: float = REREAD_S) -> None:
        self._place = place
        self._keys: KeySet | None = None
        # Tokens go on being verified, and signed where the key is here.
        self._rereading = Rereading("keys", self.reread, every_s=reread_s, log=log)
        self.read_at = 0.0
        """When the place itself was last read (seconds since 1970); 0 if it never was."""
        self.placed: Sequence[Placed] = ()

    def current(self) -> KeySet:
        if self._keys is None:
            raise KeysMissing("the keys were not read yet")
        return self._keys

    async def start(self) -> None:
        await self._rereading.start()

    async def stop(self) -> None:
        await self._rereading.stop()
        self._place.close()

    async def reread(self) -> None:
        placed, now = await self._place.read(), time.time()
        fresh = key_set(placed, now=now)
        # The same object as long as nothing changed: others cache by it.
        if self._keys is None or _order(self._keys) != _order(fresh):
            self._keys = fresh
        self.placed = placed
        if self._place.fresh:
            self.read_at = now


def key_set(placed: Sequence[Placed], *, now: float) -> KeySet:
    """The latest active key of an algorithm signs."""
    active = sorted((one for one in placed if one.activates_at <= now), key=lambda one: -one.activates_at)
    lacking = NEEDED - {one.alg for one in active}
    if lacking:
        raise KeysMissing(f"no active signing key for {', '.join(sorted(lacking))}; khizana keys make")
    return KeySet([one.key for one in active], [one.key for one in placed if one.activates_at > now])


def _order(keys: KeySet) -> list[str]:
    # An announced key that begins to sign changes its place.
    return [key.kid for key in keys.keys]
