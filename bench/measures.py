"""What is measured: for each, the load of a round and the limit that it is compared with."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from bench.limits import Limit, Limits
from bench.world import FAPI2, FORM, MACHINE, PASSWORD, RP, RP_LOW, WALLET, Citizen, Client, Held, World, gathered
from idp.authenticators.totp import step_at
from idp.sessions.cookies import SESSION_COOKIE

CONNECTIONS = 16
PAPER, LARGE_PAPER = 100_000, 300_000
LISTED = 50
LIMITED_BY = 32
"""Documents that the judge alone is asked about, round and round, each time as if they were new."""
UNSEEN_MAX = 200
"""Each takes some 20 ms to be sealed and stamped."""
WARM_UP = 3
ADDRESSES = 5_000
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
OPENINGS_MAX = 50


@dataclass(frozen=True)
class Plan:
    rounds: int
    seconds: float
    """Of one round; a measure that uses things up ends earlier."""
    items_max: int
    """Of things that are used up, in one round."""


@dataclass(frozen=True, kw_only=True)
class Work:
    limit: Limit
    items: Callable[[], Awaitable[list[Any]]]
    """Fresh ones for each round."""
    note: str
    operation: str = "request"
    once: bool = False
    connections: int = CONNECTIONS
    warm_up: int = 2
    """Operations of each connection that are not measured."""
    limit_by_load: bool = False
    """The limit's ``rate`` is that of this same load on a bare server."""


Prepare = Callable[[World, Limits, Plan], Awaitable[Work]]


def always(items: list[Any]) -> Callable[[], Awaitable[list[Any]]]:
    async def same() -> list[Any]:
        return items

    return same


def get(path: str, headers: dict[str, str] | None = None) -> dict[str, Any]:
    return {"method": "GET", "path": path, "status": 200, "headers": headers or {}}


def post_form(path: str, form: dict[str, str], headers: dict[str, str] | None = None) -> dict[str, Any]:
    return {
        "method": "POST",
        "path": path,
        "status": 200,
        "headers": {**FORM, **(headers or {})},
        "body": urlencode(form),
    }


def held(holder: Held | None) -> dict[str, Any] | None:
    return holder.told() if holder else None


# -- the provider --------------------------------------------------------------------------------------------------


async def discovery(world: World, limits: Limits, plan: Plan) -> Work:
    return _public("/idp/.well-known/openid-configuration", limits)


async def jwks(world: World, limits: Limits, plan: Plan) -> Work:
    return _public("/idp/jwks", limits)


def _public(path: str, limits: Limits) -> Work:
    return Work(
        limit=BARE,
        items=always([get(path)]),
        note="prebuilt bytes; the load program takes about as much of the machine as the server",
        limit_by_load=True,
        warm_up=20,
    )


async def _no_rate(_: float) -> float:
    raise AssertionError("measured by the load")


BARE = Limit("the same requests to the same server with nothing behind it", _no_rate)


async def sign_in(world: World, limits: Limits, plan: Plan) -> Work:
    note = "9 requests of a new browser: authorize, password page and post, second factor page and post, resume, code,"
    return await _sign_in(world, limits, plan, RP, f"{note} token, userinfo; password and TOTP; consent given before")


async def sign_in_password(world: World, limits: Limits, plan: Plan) -> Work:
    note = "7 requests of a new browser; a client registered with acr low: password alone; consent given before"
    return await _sign_in(world, limits, plan, RP_LOW, note)


async def _sign_in(world: World, limits: Limits, plan: Plan, client_id: str, note: str) -> Work:
    client, citizens = (await world.clients())[client_id], await world.citizens()
    await world.consented(client_id)
    with_totp = client_id == RP

    async def items() -> list[Any]:
        if not with_totp:
            return [_citizen_item(world, client, citizen, None) for citizen in citizens]
        return await _with_steps(world, client, citizens, count=min(plan.items_max, len(citizens)))

    return Work(
        operation="sign_in",
        limit=limits.argon2_hashes(),
        items=items,
        note=note,
        once=with_totp,
        connections=8,
        warm_up=1,
    )


def _citizen_item(world: World, client: Client, citizen: Citizen, step: int | None) -> dict[str, Any]:
    item = {
        "request": world.request(client),
        "exchange": world.exchange(client),
        "uid": citizen.uid,
        "password": PASSWORD,
        "address": citizen.address,
    }
    return item if step is None else {**item, "totp_secret": citizen.totp_secret.hex(), "totp_step": step}


async def _with_steps(world: World, client: Client, citizens: list[Citizen], *, count: int) -> list[Any]:
    """A code is good once, for a minute and a half: whoever used the next one already waits."""
    found: list[Any] = []
    for citizen in sorted(citizens, key=lambda one: one.step_used)[:count]:
        while citizen.step_used >= step_at(time.time()) + 1:
            await asyncio.sleep(0.5)
        citizen.step_used = max(citizen.step_used + 1, step_at(time.time()))
        found.append(_citizen_item(world, client, citizen, citizen.step_used))
    return found


async def authorize(world: World, limits: Limits, plan: Plan) -> Work:
    client, citizens = (await world.clients())[RP], await world.citizens()
    await world.consented(RP)
    parameters = {**world.request(client), "state": "s", "nonce": "n", "code_challenge_method": "S256"}
    path = f"/idp/authorize?{urlencode({**parameters, 'code_challenge': CHALLENGE})}"

    def item(session: str) -> dict[str, Any]:
        return {**get(path, {"Accept": "text/html", "Cookie": f"{SESSION_COOKIE}={session}"}), "status": 303}

    items = [item(await world.session(citizen)) for citizen in citizens]
    return Work(
        limit=limits.commits(),
        items=always(items),
        note="in a session, consent given before: the answer is the redirect with the code",
    )


async def code_exchange(world: World, limits: Limits, plan: Plan) -> Work:
    client, citizens = (await world.clients())[RP], await world.citizens()
    await world.consented(RP)

    async def items() -> list[Any]:
        codes = await gathered([world.code(citizens[n % len(citizens)], RP) for n in range(plan.items_max)])
        return [
            post_form("/idp/token", {**world.exchange(client), "code": code, "code_verifier": verifier})
            for code, verifier in codes
        ]

    return Work(
        limit=limits.commits(),
        items=items,
        note="client_secret_post, PKCE; access token, ID token and refresh token; two ES256 signatures",
        once=True,
    )


async def fapi2_flow(world: World, limits: Limits, plan: Plan) -> Work:
    citizens = await world.citizens()
    await world.consented(FAPI2)
    flows = [await flow(world, FAPI2, citizen) for citizen in citizens]
    return Work(
        operation="code_flow",
        limit=limits.commits(),
        items=always(flows),
        note="FAPI 2.0 in a session: pushed request, code, token; private_key_jwt and DPoP twice, PKCE",
    )


async def code_flow(world: World, limits: Limits, plan: Plan) -> Work:
    citizens = await world.citizens()
    await world.consented(RP)
    flows = [await flow(world, RP, citizen) for citizen in citizens]
    return Work(
        operation="code_flow",
        limit=limits.commits(),
        items=always(flows),
        note="profile basic in a session: code and token; client_secret_post, PKCE",
    )


async def flow(world: World, client_id: str, citizen: Citizen) -> dict[str, Any]:
    """What the load needs to go from a request to its tokens, in the citizen's session."""
    client = (await world.clients())[client_id]
    found: dict[str, Any] = {
        "authorize": "/idp/authorize",
        "token": "/idp/token",
        "request": world.request(client),
        "exchange": world.exchange(client),
        "cookie": f"{SESSION_COOKIE}={await world.session(citizen)}",
        "held": held(world.holder(client)),
    }
    if client.key is None:
        return found
    key = {"key": client.key.pem().decode(), "kid": client.key.kid}
    return {**found, "par": "/idp/par", "signer": {**key, "client_id": client_id, "audience": world.issuer}}


async def token_refresh(world: World, limits: Limits, plan: Plan) -> Work:
    client, citizens = (await world.clients())[WALLET], await world.citizens()
    await world.consented(WALLET)

    async def items() -> list[Any]:
        form = {"grant_type": "refresh_token", "client_id": client.client_id}
        return [
            {
                "form": form,
                "refresh_token": (await world.tokens(citizens[n % len(citizens)], WALLET))["refresh_token"],
                "held": held(world.holder(client)),
            }
            for n in range(CONNECTIONS)
        ]

    return Work(
        operation="refresh",
        limit=limits.commits(),
        items=items,
        note="a public client: the token rotates; a DPoP proof verified, one ES256 signature",
        warm_up=5,
    )


async def client_credentials(world: World, limits: Limits, plan: Plan) -> Work:
    client = (await world.clients())[MACHINE]

    async def items() -> list[Any]:
        key = {"held": held(world.holder(client))}
        return [{**post_form("/idp/token", world.client_credentials(client)), **key} for _ in range(plan.items_max * 4)]

    return Work(
        limit=limits.commits(),
        items=items,
        note="private_key_jwt and DPoP: two ES256 verifications, one signature",
        once=True,
        warm_up=5,
    )


async def userinfo(world: World, limits: Limits, plan: Plan) -> Work:
    citizens = await world.citizens()
    await world.consented(RP)

    async def items() -> list[Any]:
        return [get("/idp/userinfo", await world.bearer(citizen, RP)) for citizen in citizens[:CONNECTIONS]]

    return Work(limit=limits.selects(), items=items, note="one SELECT, shared by what comes at once", warm_up=5)


async def introspection(world: World, limits: Limits, plan: Plan) -> Work:
    client, citizens = (await world.clients())[RP], await world.citizens()
    await world.consented(RP)
    assert client.secret is not None
    secret = {"client_id": client.client_id, "client_secret": client.secret}

    async def items() -> list[Any]:
        tokens = [await world.tokens(citizen, RP) for citizen in citizens[:CONNECTIONS]]
        return [post_form("/idp/introspect", {**secret, "token": token["access_token"]}) for token in tokens]

    return Work(
        limit=limits.selects(),
        items=items,
        note="client_secret_post; one SELECT, shared by what comes at once",
        warm_up=5,
    )


# -- the locker ----------------------------------------------------------------------------------------------------


async def deposit(world: World, limits: Limits, plan: Plan) -> Work:
    return Work(
        limit=await limits.judgements(await world.unseen(PAPER, LIMITED_BY), as_deposit=True),
        items=lambda: _deposits(world, _unseen(plan, CONNECTIONS * WARM_UP)),
        note=f"{PAPER // 1000} kB, B-T, each another; judged, sealed, stored with fsync, read back, recorded",
        once=True,
        warm_up=WARM_UP,
    )


async def deposit_alone(world: World, limits: Limits, plan: Plan) -> Work:
    return Work(
        limit=await limits.judgement_and_commits(await world.unseen(PAPER, LIMITED_BY)),
        items=lambda: _deposits(world, _unseen(plan, CONNECTIONS)),
        note="one after the other, each another; against our own judge; the floor is meant against stock pyHanko",
        once=True,
        connections=1,
        warm_up=CONNECTIONS,
    )


def _unseen(plan: Plan, warm_up: int) -> int:
    return warm_up + min(plan.items_max, UNSEEN_MAX)


async def _deposits(world: World, count: int) -> list[Any]:
    """Of documents that no judge has met: one is asked again only after its process ended."""
    machine, citizens = held(await world.machine()), (await world.citizens())[:CONNECTIONS]
    found = []
    for number, pdf in enumerate(await world.unseen(PAPER, count)):
        body, content_type = await world.deposit_body(citizens[number % len(citizens)], pdf)
        item = {"method": "POST", "path": "/v1/deposits", "status": 201, "headers": content_type, "fresh_key": True}
        found.append({**item, "body_file": str(body), "held": machine})
    return found


async def document_list(world: World, limits: Limits, plan: Plan) -> Work:
    citizen, pdf = (await world.citizens())[-1], await world.pdf(PAPER)
    machine = await world.machine()
    await gathered([world.deposit(citizen, pdf, machine) for _ in range(LISTED)])
    owner = await world.locker_db.fetchval(
        "SELECT owner FROM locker.document GROUP BY owner ORDER BY count(*) DESC LIMIT 1"
    )

    async def items() -> list[Any]:
        listing = {**get(f"/v1/documents?limit={LISTED}"), "held": held(await world.wallet(citizen))}
        return [{**listing, "contains": '"document_id":', "times": LISTED}]

    return Work(
        limit=limits.listing(owner),
        items=items,
        note=f"{LISTED} documents as JSON, with a wallet's token; introspected once a second",
        warm_up=5,
    )


async def history(world: World, limits: Limits, plan: Plan) -> Work:
    listing = await document_list(world, limits, plan)
    citizen = (await world.citizens())[-1]

    async def items() -> list[Any]:
        return [{**get(f"/v1/history?limit={LISTED}"), "held": held(await world.wallet(citizen))}]

    return replace(
        listing,
        items=items,
        note=f"{LISTED} lines as JSON, with a wallet's token; the limit is that of a list of documents",
    )


async def share_opening(world: World, limits: Limits, plan: Plan) -> Work:
    await world.pki()
    return Work(
        operation="open_share",
        limit=await limits.gets(LARGE_PAPER),
        items=lambda: _links(world, plan.items_max),
        note="two requests of a program: the opening is spent, then the original of 300 kB comes, decrypted",
        once=True,
        warm_up=1,
    )


async def share_opening_alone(world: World, limits: Limits, plan: Plan) -> Work:
    await world.pki()
    return Work(
        operation="open_share",
        limit=await limits.opening(LARGE_PAPER),
        items=lambda: _links(world, plan.items_max),
        note="one after the other; the floor is a ratio of 0.5",
        once=True,
        connections=1,
        warm_up=4,
    )


async def _links(world: World, count: int) -> list[Any]:
    citizens, pdf = (await world.citizens())[:CONNECTIONS], await world.pdf(LARGE_PAPER)
    machine, found = await world.machine(), []

    async def links(citizen: Citizen) -> list[str]:
        document_id = await world.deposit(citizen, pdf, machine)
        wallet, each = await world.wallet(citizen), -(-count // len(citizens))
        openings = [min(OPENINGS_MAX, each - start) for start in range(0, each, OPENINGS_MAX)]
        paths = [await world.share(wallet, document_id, openings=number) for number in openings]
        return [path for path, number in zip(paths, openings, strict=True) for _ in range(number)]

    for number, paths in enumerate(await gathered([links(citizen) for citizen in citizens])):
        address = {"X-Forwarded-For": citizens[number].address}
        found.append([{"path": path, "headers": address, "length": pdf.stat().st_size} for path in paths])
    # In turn, as strangers' links are opened: openings of one share wait for each other.
    return [item for each in zip(*found, strict=True) for item in each]


async def verification(world: World, limits: Limits, plan: Plan) -> Work:
    async def items() -> list[Any]:
        return _verifications(await world.unseen(PAPER, _unseen(plan, CONNECTIONS * WARM_UP)))

    return Work(
        limit=await limits.judgements(await world.unseen(PAPER, LIMITED_BY), as_deposit=False),
        items=items,
        note=f"{PAPER // 1000} kB, each another, from as many addresses; the answer is signed",
        once=True,
        warm_up=WARM_UP,
    )


async def verification_again(world: World, limits: Limits, plan: Plan) -> Work:
    pdf = await world.pdf(PAPER)
    return Work(
        limit=await limits.judgements([pdf], as_deposit=False),
        items=always(_verifications([pdf] * ADDRESSES)),
        note=f"{PAPER // 1000} kB, always the same file: judged in the last five minutes; from {ADDRESSES} addresses",
        warm_up=WARM_UP,
    )


def _verifications(pdfs: list[Path]) -> list[Any]:
    headers = {"Content-Type": "application/pdf", "Accept": "application/json"}
    item = {"method": "POST", "path": "/v1/verifications", "status": 200}
    return [
        {
            **item,
            "body_file": str(pdf),
            "headers": {**headers, "X-Forwarded-For": f"10.9.{number // 250}.{number % 250 + 1}"},
        }
        for number, pdf in enumerate(pdfs)
    ]


MEASURES: dict[str, Prepare] = {
    "discovery": discovery,
    "jwks": jwks,
    "client_credentials": client_credentials,
    "authorize": authorize,
    "code_exchange": code_exchange,
    "code_flow": code_flow,
    "fapi2_flow": fapi2_flow,
    "token_refresh": token_refresh,
    "userinfo": userinfo,
    "introspection": introspection,
    "sign_in": sign_in,
    "sign_in_password": sign_in_password,
    "deposit": deposit,
    "deposit_alone": deposit_alone,
    "document_list": document_list,
    "history": history,
    "share_opening": share_opening,
    "share_opening_alone": share_opening_alone,
    "verification": verification,
    "verification_again": verification_again,
}
