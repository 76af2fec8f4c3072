"""Witnesses: others who keep a checkpoint of ours and cosign the next one only if it continues it (C2SP tlog-witness,
tlog-cosignature/v1). They make it impossible to show one history here and another there. None of them holds up the log.
"""

import asyncio
import base64
import logging
import time
from collections.abc import Awaitable, Callable, Sequence

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from kit.errors import Unavailable
from kit.outbound.fetch import Fetched, Fetcher, FetchRefused
from locker.log.checkpoint import DASH, Checkpoint, NoteRefused, decoded, parsed_key

ANSWER_MAX_S = 2.0
REST_S = 30.0
"""One that did not cosign is not asked again for so long."""
_ANSWER_MAX_BYTES = 4_096
_LINES_MAX = 16
_COSIGNATURE_V1 = b"\x04"
_SIZE_TYPE = "text/x.tlog.size"

ProveFrom = Callable[[int], Awaitable[list[bytes]]]
"""A size → the consistency proof from it to the checkpoint."""

log = logging.getLogger("locker.log")


class WitnessRefused(Exception):
    """Not a witness: ``https://<submission prefix>#<name>+<hash>+<base64>`` with a key of type 0x04."""


class Witness:
    """What we know of one: its address, its key, and the size that it cosigned last."""

    def __init__(self, named: str) -> None:
        self._address, _, verifier_key = named.partition("#")
        try:
            self.name, self._key_id, material = parsed_key(verifier_key, _COSIGNATURE_V1)
        except NoteRefused:
            raise WitnessRefused(named) from None
        self._public = Ed25519PublicKey.from_public_bytes(material[1:])
        self._size = 0
        self._rests_until = 0.0

    @property
    def rests(self) -> bool:
        return time.monotonic() < self._rests_until

    async def cosign(self, fetcher: Fetcher, checkpoint: Checkpoint, note: str, prove: ProveFrom) -> str:
        """Its signature line, or nothing: then it rests."""
        try:
            answer = await self._ask(fetcher, checkpoint, note, prove)
            line = self._line_in(answer.body, checkpoint) if answer.status == 200 else ""
        except (FetchRefused, Unavailable) as reason:
            log.warning("witness %s: %s", self.name, reason)
            line = ""
        else:
            if not line:
                log.warning("witness %s did not cosign %s leaves: %s", self.name, checkpoint.size, answer.status)
        if line:
            self._size = checkpoint.size
        else:
            self._rests_until = time.monotonic() + REST_S
        return line

    async def _ask(self, fetcher: Fetcher, checkpoint: Checkpoint, note: str, prove: ProveFrom) -> Fetched:
        answer = await self._send(fetcher, note, await prove(self._size))
        if answer.status == 409 and answer.media_type == _SIZE_TYPE and answer.body.strip().isdigit():
            # It remembers another size than we do: we started anew, or another node spoke to it.
            size = int(answer.body)
            if 0 <= size <= checkpoint.size and size != self._size:
                self._size = size
                return await self._send(fetcher, note, await prove(size))
        return answer

    async def _send(self, fetcher: Fetcher, note: str, proof: Sequence[bytes]) -> Fetched:
        lines = [f"old {self._size}", *(base64.b64encode(each).decode() for each in proof)]
        return await fetcher.post_and_read(
            f"{self._address.rstrip('/')}/add-checkpoint",
            body=("\n".join(lines) + "\n\n" + note).encode(),
            content_type="text/plain; charset=utf-8",
            body_max_bytes=_ANSWER_MAX_BYTES,
        )

    def _line_in(self, body: bytes, checkpoint: Checkpoint) -> str:
        """The first line of this witness that verifies; others' are passed over."""
        for line in body.decode("utf-8", "replace").split("\n")[:_LINES_MAX]:
            name, _, encoded = line.removeprefix(DASH).partition(" ")
            if not line.startswith(DASH) or name != self.name:
                continue
            try:
                signature = decoded(encoded)
                if len(signature) == 76 and signature[:4] == self._key_id:
                    self._public.verify(signature[12:], cosigned(checkpoint, int.from_bytes(signature[4:12])))
                    return line
            except (ValueError, InvalidSignature):
                continue
        return ""


def cosigned(checkpoint: Checkpoint, timestamp: int) -> bytes:
    """The message of a cosignature/v1."""
    return f"cosignature/v1\ntime {timestamp}\n{checkpoint.text}".encode()


async def ask_witnesses(
    witnesses: Sequence[Witness], fetcher: Fetcher | None, checkpoint: Checkpoint, note: str, prove: ProveFrom
) -> str:
    """``note`` with the cosignatures that came in time, in the order in which the witnesses are named."""
    awake = [each for each in witnesses if not each.rests]
    if fetcher is None or not awake:
        return note
    asked = [asyncio.create_task(each.cosign(fetcher, checkpoint, note, prove)) for each in awake]
    return note + "".join(f"{line}\n" for line in await asyncio.gather(*asked) if line)
