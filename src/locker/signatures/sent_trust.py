"""Trust on its way to the workers: small as it is, large as a file that each of them reads once."""

import asyncio
import hashlib
import tempfile
import threading
import uuid
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from locker.signatures.schema import Trust

_INLINE_MAX_BYTES = 262_144
_FEW_SERVICES = 100
_KEPT_MAX = 64
_FILES_MAX = 16


class TrustOnTheWire(msgspec.Struct, frozen=True):
    """Either the encoded ``Trust`` or the path of a file with it; the same bytes or path are the same trust."""

    encoded: bytes
    path: str | None


class SentTrust:
    """One pool's. Files lie in a folder of their own, which goes with the process; one in use stays."""

    def __init__(self) -> None:
        # By identity, with the trust beside it so that it keeps its identity: hashing thousands of services costs.
        self._kept: OrderedDict[int, tuple[Trust, TrustOnTheWire]] = OrderedDict()
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._in_use: dict[str, int] = {}
        self._writing = threading.Lock()

    @asynccontextmanager
    async def of(self, trust: Trust) -> AsyncIterator[TrustOnTheWire]:
        kept = self._kept.get(id(trust))
        # Whoever cleans a machine's temporary files does not ask.
        if kept and kept[0] is trust and (kept[1].path is None or Path(kept[1].path).exists()):
            wire = kept[1]
            self._kept.move_to_end(id(trust))
        else:
            wire = await self._keep(trust)
        if wire.path is None:
            yield wire
            return
        self._in_use[wire.path] = self._in_use.get(wire.path, 0) + 1
        try:
            yield wire
        finally:
            self._in_use[wire.path] -= 1

    async def _keep(self, trust: Trust) -> TrustOnTheWire:
        few = len(trust.services) < _FEW_SERVICES
        wire = self._write(trust) if few else await asyncio.to_thread(self._write, trust)
        self._kept[id(trust)] = (trust, wire)
        self._forget()
        return wire

    def _write(self, trust: Trust) -> TrustOnTheWire:
        encoded = msgspec.msgpack.encode(trust)
        if len(encoded) <= _INLINE_MAX_BYTES:
            return TrustOnTheWire(encoded, None)
        # Several threads may write at once; a second folder would take the first one with it.
        with self._writing:
            if self._folder is None:
                self._folder = tempfile.TemporaryDirectory(prefix="khizana-trust-")
            path = Path(self._folder.name, hashlib.sha256(encoded).hexdigest())
            if not path.exists():
                path.parent.mkdir(mode=0o700, exist_ok=True)
                written = path.with_suffix(f".{uuid.uuid4().hex}")
                written.write_bytes(encoded)
                # Whole or not at all: a worker may ask for it already.
                written.replace(path)
        return TrustOnTheWire(b"", str(path))

    def _forget(self) -> None:
        files = [wire.path for _, wire in self._kept.values() if wire.path]
        for key, (_, wire) in list(self._kept.items()):
            if len(self._kept) <= _KEPT_MAX and len(files) <= _FILES_MAX:
                return
            if wire.path and (self._in_use.get(wire.path) or files.count(wire.path) > 1):
                continue
            del self._kept[key]
            if wire.path:
                files.remove(wire.path)
                self._in_use.pop(wire.path, None)
                Path(wire.path).unlink(missing_ok=True)
