"""Whether a relying party still stands at the provider, when no token of its own is at hand."""

import time
from collections import OrderedDict

import msgspec

from kit import strict_json
from kit.errors import Unavailable
from locker.access.provider import Provider

AGE_MAX_S = 30.0
"""Half of what a revoked relying party may go on for (P-16)."""
_KEPT_MAX = 10_000
_SCOPE = "subjects:resolve"


class _Standing(msgspec.Struct, frozen=True):
    active: list[str]


class ClientStanding:
    def __init__(self, provider: Provider, *, age_max_s: float = AGE_MAX_S) -> None:
        self._provider = provider
        self._age_max_s = age_max_s
        self._kept: OrderedDict[str, tuple[bool, float]] = OrderedDict()

    async def __call__(self, client_id: str) -> bool:
        """Raises Unavailable: nobody can say so now."""
        kept = self._kept.get(client_id)
        if kept is None or time.monotonic() > kept[1]:
            # From before the question: the answer is of a moment after it.
            until = time.monotonic() + self._age_max_s
            kept = self._kept[client_id] = (await self._ask(client_id), until)
            self._kept.move_to_end(client_id)
            while len(self._kept) > _KEPT_MAX:
                self._kept.popitem(last=False)
        return kept[0]

    async def _ask(self, client_id: str) -> bool:
        provider = self._provider
        for _ in range(2):
            answer = await provider.send(
                "POST",
                f"{provider.issuer}/clients/standing",
                headers={"Authorization": f"Bearer {await provider.machine_token(_SCOPE)}"},
                json={"client_ids": [client_id]},
            )
            if answer.status_code != 401:
                break
            provider.forget_machine_token(_SCOPE)
        if answer.status_code != 200:
            raise Unavailable("provider")
        try:
            return client_id in strict_json.decode(answer.content, _Standing).active
        except msgspec.DecodeError as fault:
            raise Unavailable("provider") from fault
