"""Time stamps from an authority over HTTP (RFC 3161 §3.4)."""

import os
from collections.abc import Sequence
from urllib.parse import urlsplit

import httpx
from asn1crypto import cms, tsp

from kit.errors import Unavailable
from kit.outbound.ask import NoAnswer, ask
from locker.signatures.document import UNREADABLE

_ANSWER_MAX_BYTES = 256 * 1024
TIMEOUT_S = 10.0


class TimeStampAuthorityAway(Unavailable):
    """None of the authorities gave a time stamp for what was asked."""

    code = "time-stamp-authority-away"
    title = "No time-stamp authority can be reached now. Try again later."

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail, retry_after_s=60)


class TimeStampClient:
    """Asks ``addresses`` in turn; a user and password may stand in an address. One client serves one event loop.

    That a token answers the question is checked here (status, imprint, nonce); whether it can be believed is the
    judge's question.
    """

    def __init__(self, addresses: Sequence[str], *, timeout_s: float = TIMEOUT_S) -> None:
        self.addresses = tuple(addresses)
        self._answer_max_s = timeout_s
        self._http = httpx.AsyncClient(timeout=timeout_s, follow_redirects=False, trust_env=False)

    async def close(self) -> None:
        await self._http.aclose()

    async def token(self, imprint: bytes, digest_algorithm: str = "sha256") -> bytes:
        """The token (a CMS ContentInfo, DER) over a digest. Raises TimeStampAuthorityAway."""
        nonce = int.from_bytes(os.urandom(8))
        asked = tsp.TimeStampReq(
            {
                "version": "v1",
                "message_imprint": {
                    "hash_algorithm": {"algorithm": digest_algorithm},
                    "hashed_message": imprint,
                },
                "nonce": nonce,
                "cert_req": True,
            }
        ).dump()
        why = "no authority is configured"
        for address in self.addresses:
            try:
                return _token(await self._ask(address, asked), imprint, digest_algorithm, nonce)
            except _NotGiven as reason:
                # The host alone: an address may hold a password.
                why = f"{urlsplit(address).hostname}: {reason}"
        raise TimeStampAuthorityAway(why)

    async def _ask(self, address: str, asked: bytes) -> bytes:
        headers = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}
        try:
            return await ask(
                self._http,
                address,
                content=asked,
                headers=headers,
                answer_max_bytes=_ANSWER_MAX_BYTES,
                overall_max_s=self._answer_max_s,
            )
        except NoAnswer as reason:
            raise _NotGiven(str(reason)) from None


class _NotGiven(Exception):
    pass


def _token(answer: bytes, imprint: bytes, digest_algorithm: str, nonce: int) -> bytes:
    try:
        response = tsp.TimeStampResp.load(answer, strict=True)
        status = response["status"]["status"].native
        if status not in ("granted", "granted_with_mods"):
            raise _NotGiven(f"status {status}")
        token = response["time_stamp_token"]
        info = cms.ContentInfo.load(token.dump())["content"]["encap_content_info"]["content"].parsed
        stated = info["message_imprint"]
        if (
            not isinstance(info, tsp.TSTInfo)
            or stated["hashed_message"].native != imprint
            or stated["hash_algorithm"]["algorithm"].native != digest_algorithm
            or info["nonce"].native != nonce
        ):
            raise _NotGiven("another question was answered")
        return bytes(token.dump())
    except UNREADABLE:
        raise _NotGiven("unreadable answer") from None
