"""The public keys of a client: registered by value, or at its ``jwks_uri`` (RFC 7591 §2)."""

import asyncio
import time
from collections import OrderedDict
from typing import Protocol

import msgspec

from idp.clients.schema import Client
from kit import strict_json
from kit.jose import KeyRefused, PublicKeys

_SETS_MAX = 5_000
_AGE_MIN_S, _AGE_MAX_S = 300, 86_400
_REFRESH_MIN_S = 60.0
_RETRY_MIN_S = 10.0
_MEDIA_TYPES = "application/jwk-set+json, application/json"
_Where = tuple[str, str]
"""Of which client, at which address."""


class Fetched(Protocol):
    @property
    def status(self) -> int: ...
    @property
    def body(self) -> bytes: ...
    @property
    def max_age_s(self) -> int | None: ...


class Fetches(Protocol):
    async def get(self, url: str, *, accept: str, body_max_bytes: int = ...) -> Fetched: ...


class NoKeys(Exception):
    """The client has no key set that can be used now. ``reason`` is for developers."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Kept(msgspec.Struct, kw_only=True):
    keys: PublicKeys | None
    fetched_at: float
    fresh_until: float
    asked_at: float


class KeySets:
    """Fetched sets are kept for as long as their answer says, within bounds; a ``kid`` that is not there fetches again,
    at most once a minute for a client. Callers at the same time share one fetch, and a fetch that fails leaves the keys
    that were there, for a day."""

    def __init__(
        self,
        fetcher: Fetches | None,
        *,
        refused: tuple[type[Exception], ...] = (),
        refresh_min_s: float = _REFRESH_MIN_S,
    ) -> None:
        """``refused`` are what the fetcher raises for an address that it will not or cannot fetch."""
        self._fetcher = fetcher
        self._refresh_min_s = refresh_min_s
        self._faults: tuple[type[Exception], ...] = (*refused, KeyRefused, msgspec.DecodeError)
        # By client as well: what one asked of an address says nothing about the keys that the next will have there.
        self._kept: OrderedDict[_Where, _Kept] = OrderedDict()
        self._fetching: dict[_Where, asyncio.Task[None]] = {}

    async def keys_of(self, client: Client, *, kid: str | None) -> PublicKeys:
        """Where there are none, NoKeys. The set may lack ``kid`` all the same."""
        if client.keys is not None:
            return client.keys
        url = client.metadata.jwks_uri
        if url is None or self._fetcher is None:
            raise NoKeys("no key set is registered")
        where = (client.client_id, url)
        if self._outdated(self._kept.get(where), kid):
            await self._refreshed(where, self._fetcher)
        kept = self._kept.get(where)
        if kept is None or kept.keys is None or time.monotonic() - kept.fetched_at > _AGE_MAX_S + _AGE_MIN_S:
            raise NoKeys("the key set at jwks_uri cannot be had")
        return kept.keys

    def _outdated(self, kept: _Kept | None, kid: str | None) -> bool:
        if kept is None:
            return True
        since_s = time.monotonic() - kept.asked_at
        if kept.keys is None or time.monotonic() > kept.fresh_until:
            return since_s > _RETRY_MIN_S
        return not kept.keys.knows(kid) and since_s > self._refresh_min_s

    async def _refreshed(self, where: _Where, fetcher: Fetches) -> None:
        fetching = self._fetching.get(where)
        if fetching is None:
            fetching = self._fetching[where] = asyncio.create_task(self._fetch(where, fetcher))
            fetching.add_done_callback(lambda _: self._fetching.pop(where, None))
        await asyncio.shield(fetching)

    async def _fetch(self, where: _Where, fetcher: Fetches) -> None:
        before = self._kept.get(where)
        now = time.monotonic()
        kept = _Kept(keys=None, fetched_at=now, fresh_until=0.0, asked_at=now)
        if before is not None:
            kept.keys, kept.fetched_at = before.keys, before.fetched_at
        try:
            answer = await fetcher.get(where[1], accept=_MEDIA_TYPES)
            if answer.status == 200:
                kept.keys, kept.fetched_at = PublicKeys(strict_json.decode(answer.body)), now
                kept.fresh_until = now + min(max(answer.max_age_s or 0, _AGE_MIN_S), _AGE_MAX_S)
        except self._faults:
            pass
        self._kept[where] = kept
        self._kept.move_to_end(where)
        while len(self._kept) > _SETS_MAX:
            self._kept.popitem(last=False)
