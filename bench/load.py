"""The load: a process of its own, so that none of its work is counted as the server's. Standard input says what to do.

It needs nothing of the project. One JSON line comes in (``Job``); ``ready`` goes out when connections are open and the
first operations have been done; ``go`` comes in; one JSON line with the latencies goes out.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import re
import secrets
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import aiohttp
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import load_pem_private_key

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
PAGE = {"Accept": "text/html"}


class Unexpected(Exception):
    """An answer that the measure cannot mean."""


class Http:
    """Requests without a cookie jar, without redirects, over connections that stay open."""

    def __init__(self, session: aiohttp.ClientSession, base: str) -> None:
        self._session = session
        self._base = base

    async def ask(
        self, method: str, path: str, *, status: int, headers: dict[str, str] | None = None, body: Any = None
    ) -> tuple[Any, bytes]:
        url = path if path.startswith("http") else self._base + path
        async with self._session.request(method, url, headers=headers, data=body, allow_redirects=False) as answer:
            content = await answer.read()
            if answer.status != status:
                said = "/s/" if "/s/" in path else path.partition("?")[0]
                raise Unexpected(f"{method} {said}: {answer.status} {content[:300]!r}")
            return answer.headers, content


class Holder:
    """The key to which a token is bound (RFC 9449), and the token: each request gets a proof of its own."""

    def __init__(self, held: dict[str, Any]) -> None:
        key = load_pem_private_key(held["key"].encode(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        numbers = key.public_key().public_numbers()
        jwk = {"kty": "EC", "crv": "P-256", "x": _b64(numbers.x.to_bytes(32)), "y": _b64(numbers.y.to_bytes(32))}
        self._header = _b64(json.dumps({"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk}).encode())
        self._key, self._origin, self._token = key, held["origin"], held.get("token")

    def headers(self, method: str, path: str) -> dict[str, str]:
        address = self._origin + path.partition("?")[0]
        claims = {"jti": secrets.token_urlsafe(16), "htm": method, "htu": address, "iat": int(time.time())}
        if self._token is None:
            return {"DPoP": self._signed(claims)}
        claims["ath"] = _b64(hashlib.sha256(self._token.encode()).digest())
        return {"Authorization": f"DPoP {self._token}", "DPoP": self._signed(claims)}

    def _signed(self, claims: dict[str, Any]) -> str:
        signed = f"{self._header}.{_b64(json.dumps(claims).encode())}"
        r, s = utils.decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{_b64(r.to_bytes(32) + s.to_bytes(32))}"


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


_holders: dict[str, Holder] = {}


def proven(item: Any, method: str, path: str) -> dict[str, str]:
    """The headers of whoever holds a bound token; none for everybody else."""
    held = item.get("held")
    if held is None:
        return {}
    name = f"{held['key']} {held.get('token')}"
    if name not in _holders:
        _holders[name] = Holder(held)
    return _holders[name].headers(method, path)


Operation = Callable[[Http, Any], Awaitable[None]]


async def request(http: Http, item: Any) -> None:
    """One request as it stands in the job; ``length`` bytes must come back if it says so, ``contains`` in them."""
    body: Any = BODIES[item["body_file"]] if "body_file" in item else item.get("body")
    headers = {**item.get("headers", {}), **proven(item, item["method"], item["path"])}
    if item.get("fresh_key"):
        headers = {**headers, "Idempotency-Key": f'"{secrets.token_hex(16)}"'}
    _, content = await http.ask(item["method"], item["path"], status=item["status"], headers=headers, body=body)
    if "length" in item and len(content) != item["length"]:
        raise Unexpected(f"{item['path']}: {len(content)} bytes")
    if content.count(item.get("contains", "").encode()) < item.get("times", 0):
        raise Unexpected(f"{item['path']}: {content[:300]!r}")


async def refresh(http: Http, chain: Any) -> None:
    """The next link of a chain of refresh tokens; each connection has its own."""
    path = chain.get("path", "/idp/token")
    body = urlencode({**chain["form"], "refresh_token": chain["refresh_token"]})
    headers = {**FORM, **proven(chain, "POST", path)}
    _, content = await http.ask("POST", path, status=200, headers=headers, body=body)
    chain["refresh_token"] = json.loads(content)["refresh_token"]


async def open_share(http: Http, item: Any) -> None:
    """Spend an opening as a program does, then fetch the original: all its bytes are here."""
    headers = {"Accept": "application/json", "Content-Type": "application/json", **item["headers"]}
    _, content = await http.ask("POST", item["path"], status=200, headers=headers, body=b"{}")
    opened = json.loads(content)
    original = opened["documents"][0]["original"]
    viewing = {"Authorization": f"Bearer {opened['viewing_token']}"}
    _, document = await http.ask("GET", urlsplit(original).path, status=200, headers=viewing)
    if len(document) != item["length"]:
        raise Unexpected(f"original: {len(document)} bytes")


async def code_flow(http: Http, item: Any) -> None:
    """From the request to the tokens, in a session where nothing is asked: pushed and bound to a key if it says so."""
    verifier = secrets.token_urlsafe(48)
    challenge = _b64(hashlib.sha256(verifier.encode()).digest())
    parameters = {**item["request"], "state": secrets.token_urlsafe(16), "nonce": secrets.token_urlsafe(16)}
    parameters |= {"code_challenge": challenge, "code_challenge_method": "S256"}
    if item.get("par"):
        headers = {**FORM, **proven(item, "POST", item["par"])}
        body = urlencode({**parameters, **asserted(item)})
        _, content = await http.ask("POST", item["par"], status=201, headers=headers, body=body)
        parameters = {"client_id": parameters["client_id"], "request_uri": json.loads(content)["request_uri"]}
    path = f"{item['authorize']}?{urlencode(parameters)}"
    answered, _ = await http.ask("GET", path, status=303, headers={**PAGE, "Cookie": item["cookie"]})
    answer = dict(parse_qsl(urlsplit(answered["Location"]).query))
    if "code" not in answer:
        raise Unexpected(f"no code: {answered['Location'][:200]}")
    form = {**item["exchange"], **asserted(item), "code": answer["code"], "code_verifier": verifier}
    headers = {**FORM, **proven(item, "POST", item["token"])}
    _, content = await http.ask("POST", item["token"], status=200, headers=headers, body=urlencode(form))
    if "id_token" not in json.loads(content):
        raise Unexpected("no ID token")


async def client_token(http: Http, item: Any) -> None:
    """client_credentials with a fresh assertion and a fresh proof."""
    headers = {**FORM, **proven(item, "POST", item["path"])}
    body = urlencode({**item["form"], **asserted(item)})
    await http.ask("POST", item["path"], status=200, headers=headers, body=body)


_signers: dict[str, ec.EllipticCurvePrivateKey] = {}


def asserted(item: Any) -> dict[str, str]:
    """private_key_jwt, each good once; nothing for a client that authenticates otherwise."""
    signer = item.get("signer")
    if signer is None:
        return {}
    if signer["key"] not in _signers:
        key = load_pem_private_key(signer["key"].encode(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        _signers[signer["key"]] = key
    now = int(time.time())
    claims = {"iss": signer["client_id"], "sub": signer["client_id"], "aud": signer["audience"], "iat": now}
    claims |= {"exp": now + 60, "jti": secrets.token_urlsafe(16)}
    header = _b64(json.dumps({"alg": "ES256", "kid": signer["kid"]}).encode())
    signed = f"{header}.{_b64(json.dumps(claims).encode())}"
    r, s = utils.decode_dss_signature(_signers[signer["key"]].sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    return {
        "client_id": signer["client_id"],
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": f"{signed}.{_b64(r.to_bytes(32) + s.to_bytes(32))}",
    }


class Browser:
    """Cookies by hand: those of a ``__Host-`` name are Secure, and only browsers send them to http://localhost."""

    def __init__(self, http: Http, address: str) -> None:
        self._http = http
        self._cookies: dict[str, str] = {}
        self._address = address

    async def get(self, path: str, status: int) -> tuple[Any, str]:
        return await self._sent("GET", path, status, None)

    async def post(self, path: str, **fields: str) -> str:
        """Where the 303 leads."""
        headers, _ = await self._sent("POST", path, 303, urlencode(fields))
        return str(headers["Location"])

    async def _sent(self, method: str, path: str, status: int, body: str | None) -> tuple[Any, str]:
        headers = {**PAGE, "X-Forwarded-For": self._address}
        if self._cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        if body is not None:
            headers |= FORM
        answered, content = await self._http.ask(method, path, status=status, headers=headers, body=body)
        for line in answered.getall("Set-Cookie", ()):
            name, _, value = line.partition(";")[0].partition("=")
            self._cookies[name] = value
        return answered, content.decode()


async def sign_in(http: Http, item: Any) -> None:
    """A browser without cookies: authorize, password, second factor where one is due, code, token, userinfo."""
    verifier = secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    parameters = {**item["request"], "state": secrets.token_urlsafe(16), "nonce": secrets.token_urlsafe(16)}
    parameters |= {"code_challenge": challenge, "code_challenge_method": "S256"}
    browser = Browser(http, item["address"])
    headers, _ = await browser.get(f"/idp/authorize?{urlencode(parameters)}", 303)
    _, page = await browser.get(headers["Location"], 200)
    onward = await browser.post(headers["Location"], csrf=_csrf(page), username=item["uid"], password=item["password"])
    if item.get("totp_secret"):
        _, page = await browser.get(onward, 200)
        code = _totp(bytes.fromhex(item["totp_secret"]), item["totp_step"])
        onward = await browser.post(onward, csrf=_csrf(page), otp=code)
    headers, _ = await browser.get(onward, 303)
    answer = dict(parse_qsl(urlsplit(headers["Location"]).query))
    if "code" not in answer:
        raise Unexpected(f"no code: {headers['Location'][:200]}")
    form = {**item["exchange"], "code": answer["code"], "code_verifier": verifier}
    _, content = await http.ask("POST", "/idp/token", status=200, headers=FORM, body=urlencode(form))
    bearer = {"Authorization": f"Bearer {json.loads(content)['access_token']}"}
    await http.ask("GET", "/idp/userinfo", status=200, headers=bearer)


def _csrf(page: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    if found is None:
        raise Unexpected("a page without its form")
    return found[1]


def _totp(secret: bytes, step: int) -> str:
    mac = hmac.new(secret, step.to_bytes(8, "big"), hashlib.sha1).digest()
    offset = mac[-1] & 0x0F
    return str((int.from_bytes(mac[offset : offset + 4], "big") & 0x7FFF_FFFF) % 1_000_000).zfill(6)


OPERATIONS: dict[str, Operation] = {
    "request": request,
    "refresh": refresh,
    "code_flow": code_flow,
    "client_token": client_token,
    "open_share": open_share,
    "sign_in": sign_in,
}
BODIES: dict[str, bytes] = {}


def _items(job: Any) -> Iterator[Any]:
    """Each once, or round and round; a chain belongs to the connection that takes it."""
    while True:
        yield from job["items"]
        if job["once"]:
            return


async def run(job: Any) -> dict[str, Any]:
    for name in {item["body_file"] for item in job["items"] if "body_file" in item}:
        with open(name, "rb") as file:
            BODIES[name] = file.read()
    operation = OPERATIONS[job["operation"]]
    connections, items = job["connections"], _items(job)
    chains = [next(items) for _ in range(connections)] if job["operation"] == "refresh" else []
    latencies: list[float] = []
    timeout = aiohttp.ClientTimeout(total=60)
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=60)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, trust_env=False) as session:
        http = Http(session, job["base"])

        async def worker(number: int, stop_at: float, count: int, kept: list[float]) -> None:
            while count and time.perf_counter() < stop_at:
                count -= 1
                item = chains[number] if chains else next(items, None)
                if item is None:
                    return
                started = time.perf_counter()
                await operation(http, item)
                kept.append((time.perf_counter() - started) * 1000)

        async def round_(seconds: float, count: int, kept: list[float]) -> None:
            stop_at = time.perf_counter() + seconds
            async with asyncio.TaskGroup() as tasks:
                for number in range(connections):
                    tasks.create_task(worker(number, stop_at, count, kept))

        await round_(60, job["warm_up"], [])
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        started, spent = time.perf_counter(), time.process_time()
        await round_(job["seconds"], -1, latencies)
        wall_s = time.perf_counter() - started
    latencies.sort()
    count = len(latencies)
    return {
        "n": count,
        "wall_s": wall_s,
        "load_cpu_s": time.process_time() - spent,
        "median_ms": latencies[count // 2] if count else None,
        "p99_ms": latencies[min(count - 1, count * 99 // 100)] if count else None,
    }


def main() -> None:
    job = json.loads(sys.stdin.readline())
    try:
        print(json.dumps(asyncio.run(run(job))), flush=True)
    except* (Unexpected, aiohttp.ClientError) as several:
        print(json.dumps({"failed": repr(several.exceptions[0])[:1000]}), flush=True)


if __name__ == "__main__":
    main()
