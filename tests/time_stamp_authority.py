"""A time-stamp authority behind a socket: pyHanko's, which shares no code with ours. Its clock is the test's."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from asn1crypto import keys, tsp, x509
from cryptography.hazmat.primitives import serialization
from pyhanko.sign.timestamps.dummy_client import DummyTimeStamper

from tests.unit.locker.signatures.signature_pki import Holder


class Authority:
    """``holder`` may be replaced while it runs, as authorities renew their certificates."""

    def __init__(self, holder: Holder, *, now: datetime | None = None) -> None:
        self.holder = holder
        self.now = now
        self.away = False
        self.answered = 0
        self.refused = 0
        self.address = ""

    def answer(self, asked: bytes) -> bytes:
        request = tsp.TimeStampReq.load(asked)
        encoded = self.holder.key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        stamper = DummyTimeStamper(
            x509.Certificate.load(self.holder.der),
            keys.PrivateKeyInfo.load(encoded),
            [x509.Certificate.load(der) for der in self.holder.chain_der],  # type: ignore[arg-type]
            fixed_dt=self.now or datetime.now(UTC).replace(microsecond=0),
        )
        self.answered += 1
        return bytes(stamper.request_tsa_response(request).dump())


@asynccontextmanager
async def listening(authority: Authority) -> AsyncIterator[Authority]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
        asked = await reader.readexactly(int(fields[b"content-length"]))
        authority.refused += authority.away
        answer = b"" if authority.away else authority.answer(asked)
        status = b"503 Away" if authority.away else b"200 OK"
        writer.write(
            b"HTTP/1.1 %s\r\nContent-Type: application/timestamp-reply\r\nConnection: close\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (status, len(answer), answer)
        )
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    authority.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    async with server:
        yield authority
