"""A time stamp that will be believed, from one of several authorities; one that fails is left alone for a while."""

import logging
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from urllib.parse import urlsplit

from locker.signatures.schema import Trust
from locker.signatures.seal_workers import SealWorkers
from locker.signatures.time_stamp_client import TimeStampAuthorityAway, TimeStampClient

AWAY_S = 30.0
"""For so long after a failure nobody waits for this authority again."""
_RESERVED_FIRST_BYTES = 8_192
_RESERVED_MAX_BYTES = 32_768
_MARGIN_BYTES = 256

log = logging.getLogger("khizana.seals")


class TimeStampAuthorities:
    """``addresses`` are the operator's choice, asked in turn."""

    def __init__(
        self,
        addresses: Sequence[str],
        workers: SealWorkers,
        *,
        answer_max_s: float,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._clients = [TimeStampClient([address], timeout_s=answer_max_s) for address in addresses]
        self._workers = workers
        self._clock = clock
        self._away_until: dict[TimeStampClient, float] = {}
        self.reserved_bytes = _RESERVED_FIRST_BYTES
        """The room that a token will need: after the first one, a little more than that one took."""

    async def token(self, imprint_sha256: bytes, *, trust: Trust) -> bytes:
        """DER. Checked: imprint, nonce, time, signature, trust. TimeStampAuthorityAway without one."""
        for client in self._clients:
            if time.monotonic() < self._away_until.get(client, 0.0):
                continue
            try:
                token = await client.token(imprint_sha256)
                against = await self._workers.against_time_stamp(token, imprint_sha256, trust=trust, at=self._clock())
            except TimeStampAuthorityAway as away:
                log.warning("time stamp: %s", away.detail)
            else:
                if against is None and len(token) <= _RESERVED_MAX_BYTES:
                    self._away_until.pop(client, None)
                    self.reserved_bytes = len(token) + _MARGIN_BYTES
                    return token
                log.error("time stamp: %s: refused: %s", urlsplit(client.addresses[0]).hostname, against)
            self._away_until[client] = time.monotonic() + AWAY_S
        raise TimeStampAuthorityAway

    def forget_failures(self) -> None:
        """Ask each again at once."""
        self._away_until.clear()

    async def close(self) -> None:
        for client in self._clients:
            await client.close()
