"""Ask an address that an operator or a certificate's authority named: the answer is bounded in time and in size."""

import asyncio
from collections.abc import Mapping

import httpx


class NoAnswer(Exception):
    """``str()`` says why in a few words, and nothing of the address, which may hold a password."""


async def ask(
    http: httpx.AsyncClient,
    url: str,
    *,
    content: bytes | None = None,
    headers: Mapping[str, str],
    answer_max_bytes: int,
    overall_max_s: float,
) -> bytes:
    """The body of the 200 to a GET, or to a POST where there is ``content``. Raises NoAnswer."""
    # A few bytes of a compressed answer become gigabytes in one step, before anybody could count them.
    headers = {**headers, "Accept-Encoding": "identity"}
    body = bytearray()
    try:
        # The client's own limit is for each piece: an answer that drips would never end.
        async with (
            asyncio.timeout(overall_max_s),
            http.stream("GET" if content is None else "POST", url, content=content, headers=headers) as response,
        ):
            if response.status_code != 200:
                raise NoAnswer(f"HTTP {response.status_code}")
            if response.headers.get("Content-Encoding", "identity").lower() not in ("", "identity"):
                raise NoAnswer("a compressed answer")
            async for piece in response.aiter_raw():
                body += piece
                if len(body) > answer_max_bytes:
                    raise NoAnswer("answer too large")
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as fault:
        raise NoAnswer(type(fault).__name__) from None
    return bytes(body)
