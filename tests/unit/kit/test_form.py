"""Forms: whatever a part says of its encoding, they are UTF-8 and read at once."""

import time
from typing import Any

import httpx
import pytest
from litestar import Litestar, Request, post

from kit.edge import exception_handlers
from kit.form import form_of


@post("/", status_code=200)
async def echo(request: Request[Any, Any, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in (await form_of(request)).items()}


async def sent(content_type: str, body: bytes) -> httpx.Response:
    app = Litestar(
        [echo], exception_handlers=exception_handlers(lambda *_: ""), request_max_body_size=2_000_000, debug=False
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as http:
        return await http.post("/", headers={"Content-Type": content_type}, content=body)


def multipart(value: bytes, *, more: bytes = b"") -> bytes:
    return b'--a\r\nContent-Disposition: form-data; name="pin"\r\n%b\r\n%b\r\n--a--\r\n' % (more, value)


@pytest.mark.parametrize(
    "charset", [b"punycode", b'"punycode"', b'"puny\\code"', b" = 'idna'", b"utf-8; charset=rot13"]
)
async def test_a_part_that_names_an_encoding_is_not_decoded_by_it(charset: bytes) -> None:
    said = b"=" + charset if b"=" not in charset[:3] else charset
    began = time.perf_counter()
    answer = await sent(
        "multipart/form-data; boundary=a",
        multipart(b"-" + b"b" * 1_000_000, more=b"Content-Type: text/plain; charset%b\r\n" % said),
    )
    assert answer.status_code == 400, answer.text
    assert time.perf_counter() - began < 2


async def test_what_is_no_utf_8_is_malformed_and_what_is_stays_as_it_was() -> None:
    kind = "multipart/form-data; boundary=a"
    assert (await sent(kind, multipart(b"\xff\xfe"))).status_code == 400
    unknown = multipart(b"x", more=b"Content-Type: text/plain; charset=utf-8-no\r\n")
    assert (await sent(kind, unknown)).status_code == 400
    named = multipart("رقم".encode(), more=b'Content-Type: text/plain; charset="UTF-8"\r\n')
    assert (await sent(kind, named)).json() == {"pin": "رقم"}
    assert (await sent(kind, multipart(b"482913"))).json() == {"pin": "482913"}
    assert (await sent("application/x-www-form-urlencoded", b"pin=4%2B8")).json() == {"pin": "4+8"}
    assert (await sent("text/plain", b"pin=1")).json() == {}
