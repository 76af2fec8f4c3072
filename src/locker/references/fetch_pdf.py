import asyncio
import hashlib
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from kit.errors import Unavailable
from kit.outbound.fetch import BUSY, FetchRefused
from kit.own_folder import temporary_folder
from locker.references.desk import ReferenceDesk
from locker.references.sign_request import sign_request

_PDF_MIN_BYTES = 64


class NotFetched(Exception):
    """``reason`` is a short English phrase that names no address."""

    def __init__(self, reason: str, *, other: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.other = other
        """There is something, and it is not the document."""


@asynccontextmanager
async def fetch_pdf(
    desk: ReferenceDesk, url: str, *, sha256: bytes, administration: str
) -> AsyncIterator[tuple[Path, int]]:
    """A file with exactly the bytes of this digest, and its length; leaving the context deletes it.

    Raises NotFetched; Unavailable where it is we who have no place for it.

    Nothing is followed, nothing of a longer body is kept, and no byte is written before the digest agrees.
    """
    limits = desk.deposits.limits.receive
    async with desk.room.place(administration):
        signed = sign_request(
            desk.signing.signer, "GET", url, created=int(time.time()), nonce=secrets.token_urlsafe(16)
        )
        try:
            answer = await desk.fetcher.get(
                url, accept="application/pdf", body_max_bytes=limits.pdf_max_bytes, headers=signed
            )
        except FetchRefused as refused:
            if refused.reason == BUSY:
                raise Unavailable("fetches") from None
            raise NotFetched(refused.reason) from None
        if answer.status != 200:
            raise NotFetched(f"the address answers {answer.status}")
        if (await asyncio.to_thread(hashlib.sha256, answer.body)).digest() != sha256:
            raise NotFetched("the address gives other bytes", other=True)
        length = len(answer.body)
        if length < _PDF_MIN_BYTES or not answer.body.startswith(b"%PDF-"):
            raise NotFetched("the address gives no PDF", other=True)
        async with temporary_folder("khizana-reference-", limits.folder) as folder:
            path = Path(folder, "document.pdf")
            await asyncio.to_thread(path.write_bytes, answer.body)
            del answer
            yield path, length
