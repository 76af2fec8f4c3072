"""The same load on us and on node-oidc-provider, in turn, in one run: CPU for each operation, and the ratios.

The peer keeps its state in memory, or in the same PostgreSQL as we do; ours is in PostgreSQL always. What it needs
stands in ``bench/peers`` and is installed by ``npm ci`` into the bench's own folder.
"""

import contextlib
import json
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import aiohttp
from joserfc import jwk

from bench.measures import CONNECTIONS, flow, get, held, post_form
from bench.product import Product, cpu_s, free_port, tree
from bench.world import CALLBACK, FAPI2, MACHINE, RP, Held, World, gathered
from khizana.home import Home
from khizana.say import say
from kit.jose import SigningKey

PEERS = Path(__file__).parent / "peers"
NPM_MAX_S = 300
PEOPLE = 32


class PeersMissing(Exception):
    """What the peers need is not here."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One measure on one of the servers, for the load program."""

    operation: str
    items: list[Any]
    connections: int = CONNECTIONS
    warm_up: int = 3


@dataclass
class Peer:
    name: str
    port: int
    process: subprocess.Popen[str]
    database_pid: int | None
    rp_secret: str
    keys: dict[str, SigningKey]
    cookies: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def spent_s(self) -> float:
        database = cpu_s(tree(self.database_pid)) if self.database_pid else 0.0
        return cpu_s(tree(self.process.pid)) + database

    def signer(self, client_id: str) -> dict[str, str]:
        key = self.keys[client_id]
        return {"key": key.pem().decode(), "kid": key.kid, "client_id": client_id, "audience": self.url}

    def flow(self, client_id: str, cookie: str) -> dict[str, Any]:
        request = {"client_id": client_id, "redirect_uri": CALLBACK, "response_type": "code", "scope": "openid profile"}
        form = {"grant_type": "authorization_code", "redirect_uri": CALLBACK, "client_id": client_id}
        found: dict[str, Any] = {"authorize": "/auth", "token": "/token", "request": request, "cookie": cookie}
        if client_id == RP:
            return {**found, "exchange": {**form, "client_secret": self.rp_secret}}
        bound = Held(self.keys["dpop"], self.url)
        return {**found, "exchange": form, "par": "/request", "signer": self.signer(client_id), "held": held(bound)}

    async def people(self, http: aiohttp.ClientSession) -> None:
        """Browsers in which somebody signed in and let both clients in."""
        self.cookies = await gathered([self._sign_in(http) for _ in range(PEOPLE)])

    async def _sign_in(self, http: aiohttp.ClientSession) -> str:
        cookies: dict[str, str] = {}
        for client_id in (RP, FAPI2):
            location = self._authorize(client_id)
            for _ in range(8):
                if location.startswith(CALLBACK):
                    break
                location = await self._get(http, cookies, location)
            else:
                raise PeersMissing(f"{self.name} did not answer with a code: {location[:200]}")
        return "; ".join(f"{name}={value}" for name, value in cookies.items() if name.startswith("_session"))

    def _authorize(self, client_id: str) -> str:
        request = {**self.flow(client_id, "")["request"], "state": "s", "nonce": "n", "code_challenge_method": "S256"}
        request["code_challenge"] = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        return f"{self.url}/auth?{urlencode(request)}"

    async def _get(self, http: aiohttp.ClientSession, cookies: dict[str, str], url: str) -> str:
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()), "Accept": "text/html"}
        address = url if url.startswith("http") else self.url + url
        async with http.get(address, headers=headers, allow_redirects=False) as answer:
            for line in answer.headers.getall("Set-Cookie", ()):
                name, _, value = line.partition(";")[0].partition("=")
                cookies[name] = value
            if answer.status not in (302, 303):
                raise PeersMissing(f"{self.name}: {answer.status} {(await answer.text())[:300]}")
            return answer.headers["Location"]

    async def tokens(self, http: aiohttp.ClientSession, cookie: str) -> dict[str, Any]:
        item = self.flow(RP, cookie)
        verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
        cookies = dict(part.split("=", 1) for part in cookie.split("; "))
        location = await self._get(http, cookies, self._authorize(RP))
        code = dict(parse_qsl(urlsplit(location).query))["code"]
        form = {**item["exchange"], "code": code, "code_verifier": verifier}
        async with http.post(f"{self.url}/token", data=form) as answer:
            found: dict[str, Any] = await answer.json()
            return found


@contextlib.contextmanager
def peer(name: str, folder: Path, *, database: tuple[dict[str, Any], int] | None) -> Iterator[Peer]:
    """``database`` is what ``pg`` connects with, and the server's process."""
    port, keys = free_port(), {name: SigningKey.generate("ES256") for name in (FAPI2, MACHINE, "dpop", "server")}
    secret = secrets.token_urlsafe(32)
    job = {
        "port": port,
        "issuer": f"http://127.0.0.1:{port}",
        "postgres": database[0] if database else None,
        "clients": _clients(keys, secret),
        "jwks": {"keys": [_private_jwk(keys["server"])]},
    }
    process = subprocess.Popen(
        ["node", str(folder / "server.mjs")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=None,
        text=True,
        env={**os.environ, "NODE_ENV": "production"},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(job) + "\n")
        process.stdin.flush()
        if process.stdout.readline().strip() != "ready":
            raise PeersMissing(f"{name} did not start")
        yield Peer(name, port, process, database[1] if database else None, secret, keys)
    finally:
        process.kill()
        process.wait()


def _clients(keys: dict[str, SigningKey], secret: str) -> list[dict[str, Any]]:
    code = {"redirect_uris": [CALLBACK], "grant_types": ["authorization_code", "refresh_token"]}
    by_key = {"token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": "ES256"}
    return [
        {
            **code,
            "client_id": RP,
            "client_secret": secret,
            "token_endpoint_auth_method": "client_secret_post",
            "introspection_endpoint_auth_method": "client_secret_post",
        },
        {
            **code,
            **by_key,
            "client_id": FAPI2,
            "dpop_bound_access_tokens": True,
            "jwks": {"keys": [keys[FAPI2].public_jwk]},
        },
        {
            **by_key,
            "client_id": MACHINE,
            "redirect_uris": [],
            "response_types": [],
            "grant_types": ["client_credentials"],
            "dpop_bound_access_tokens": True,
            "jwks": {"keys": [keys[MACHINE].public_jwk]},
        },
    ]


def _private_jwk(key: SigningKey) -> dict[str, Any]:
    return {**jwk.import_key(key.pem(), "EC").as_dict(private=True), "kid": key.kid, "use": "sig", "alg": "ES256"}


def installed(home: Home) -> Path:
    """Where the peers stand, with what they need."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise PeersMissing("node and npm are needed for --peers")
    folder = home.folder / "peers"
    shutil.copytree(PEERS, folder, ignore=shutil.ignore_patterns("node_modules"), dirs_exist_ok=True)
    say("installing the peers")
    done = subprocess.run(
        ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=NPM_MAX_S,
    )
    if done.returncode:
        raise PeersMissing(f"npm ci: {done.stderr[-500:]}")
    return folder


def database_of(product: Product) -> tuple[dict[str, Any], int]:
    parts = urlsplit(product.environ["KHIZANA_OWNER_DATABASE_URL"])
    query = dict(parse_qsl(parts.query))
    return {
        "host": query.get("host", parts.hostname),
        "port": int(query.get("port", parts.port or 5432)),
        "user": parts.username,
        "password": parts.password,
        "database": parts.path.lstrip("/"),
    }, product.database_pid


async def ours(world: World) -> dict[str, Job]:
    clients, people = await world.clients(), (await world.citizens())[:PEOPLE]
    for client_id in (RP, FAPI2):
        await world.consented(client_id)
    rp, machine = clients[RP], clients[MACHINE]
    tokens = await gathered([world.tokens(citizen, RP) for citizen in people[:CONNECTIONS]])
    assert machine.key is not None
    signer = {"key": machine.key.pem().decode(), "kid": machine.key.kid, "client_id": MACHINE, "audience": world.issuer}
    client = {"client_id": RP, "client_secret": rp.secret or ""}
    return {
        "discovery": Job(operation="request", items=[get("/idp/.well-known/openid-configuration")]),
        "jwks": Job(operation="request", items=[get("/idp/jwks")]),
        "client_credentials": Job(
            operation="client_token",
            items=[
                {
                    "path": "/idp/token",
                    "form": {"grant_type": "client_credentials", "scope": machine.scope},
                    "signer": signer,
                    "held": held(world.holder(machine)),
                }
            ],
        ),
        "userinfo": Job(operation="request", items=_bearers("/idp/userinfo", tokens)),
        "introspection": Job(operation="request", items=_introspections("/idp/introspect", client, tokens)),
        "refresh": Job(operation="refresh", items=_chains("/idp/token", client, tokens)),
        "code_flow": Job(operation="code_flow", items=[await flow(world, RP, citizen) for citizen in people]),
        "fapi2_flow": Job(operation="code_flow", items=[await flow(world, FAPI2, citizen) for citizen in people]),
    }


async def theirs(one: Peer, http: aiohttp.ClientSession) -> dict[str, Job]:
    await one.people(http)
    tokens = await gathered([one.tokens(http, cookie) for cookie in one.cookies[:CONNECTIONS]])
    client = {"client_id": RP, "client_secret": one.rp_secret}
    machine = {
        "path": "/token",
        "form": {"grant_type": "client_credentials"},
        "signer": one.signer(MACHINE),
        "held": held(Held(one.keys["dpop"], one.url)),
    }
    return {
        "discovery": Job(operation="request", items=[get("/.well-known/openid-configuration")]),
        "jwks": Job(operation="request", items=[get("/jwks")]),
        "client_credentials": Job(operation="client_token", items=[machine]),
        "userinfo": Job(operation="request", items=_bearers("/me", tokens)),
        "introspection": Job(operation="request", items=_introspections("/token/introspection", client, tokens)),
        "refresh": Job(operation="refresh", items=_chains("/token", client, tokens)),
        "code_flow": Job(operation="code_flow", items=[one.flow(RP, cookie) for cookie in one.cookies]),
        "fapi2_flow": Job(operation="code_flow", items=[one.flow(FAPI2, cookie) for cookie in one.cookies]),
    }


def _bearers(path: str, tokens: list[dict[str, Any]]) -> list[Any]:
    return [get(path, {"Authorization": f"Bearer {one['access_token']}"}) for one in tokens]


def _introspections(path: str, client: dict[str, str], tokens: list[dict[str, Any]]) -> list[Any]:
    return [post_form(path, {**client, "token": one["access_token"]}) for one in tokens]


def _chains(path: str, client: dict[str, str], tokens: list[dict[str, Any]]) -> list[Any]:
    form = {"grant_type": "refresh_token", **client}
    return [{"path": path, "form": form, "refresh_token": one["refresh_token"]} for one in tokens]


@dataclass(frozen=True)
class Cost:
    rate_per_s: float
    cpu_ms: float


def line(measure: str, costs: dict[str, Cost]) -> dict[str, Any]:
    """Ratios above 1 say how many times less CPU one of our operations takes."""
    own = costs["khizana"]
    found: dict[str, Any] = {"measure": f"peers {measure}"}
    for name, cost in costs.items():
        found[f"{name}_rate_per_s"] = round(cost.rate_per_s, 1)
        found[f"{name}_cpu_ms_per_op"] = round(cost.cpu_ms, 3)
    for name, cost in costs.items():
        if name != "khizana" and own.cpu_ms:
            found[f"ratio_to_{name}"] = round(cost.cpu_ms / own.cpu_ms, 2)
    return found
