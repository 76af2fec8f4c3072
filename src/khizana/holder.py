"""A program's requests with a token that is bound to its key (RFC 9449)."""

from collections.abc import AsyncGenerator, Generator

import httpx

from kit.dpop import prove
from kit.jose import SigningKey


class Holder(httpx.Auth):
    """Puts a fresh proof beside each request; without a token yet, it asks for one that will be bound to ``key``."""

    def __init__(self, key: SigningKey, access_token: str | None = None) -> None:
        self._key = key
        self._access_token = access_token

    requires_response_body = True

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        answer = yield self._proven(request, None)
        nonce = answer.headers.get("dpop-nonce")
        if nonce is not None and answer.status_code in (400, 401) and "use_dpop_nonce" in answer.text:
            yield self._proven(request, nonce)

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Of an answer that is no refusal nothing is read: whoever asked for it may want it in pieces."""
        flow = self.auth_flow(request)
        asked = next(flow)
        while True:
            answer = yield asked
            if answer.is_error:
                await answer.aread()
            try:
                asked = flow.send(answer)
            except StopIteration:
                return

    def _proven(self, request: httpx.Request, nonce: str | None) -> httpx.Request:
        address = str(request.url.copy_with(query=None, fragment=None))
        request.headers["DPoP"] = prove(
            self._key, method=request.method, url=address, access_token=self._access_token, nonce=nonce
        )
        if self._access_token is not None:
            request.headers["Authorization"] = f"DPoP {self._access_token}"
        return request
