"""One citizen lets a wallet app in and shares by two links, one of which is opened: so that there is a history."""

import base64
import datetime as dt
import hashlib
import re
import secrets
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx

from idp.citizens.find import find_by_uid
from idp.sessions.cookies import SESSION_COOKIE
from idp.sessions.start import start
from khizana.demo.kept import KeptShare, Memory
from khizana.demo.register import WALLET, WALLET_CALLBACK
from khizana.holder import Holder
from kit.audit import Audit
from kit.db import Database, Tx
from kit.jose import SigningKey

SHARER = "fatima-zahra"
_SCOPE = "openid profile documents:read documents:share"
_SESSION_S = 300
_SHARES: tuple[dict[str, Any], ...] = (
    {
        "papers": ("residence-fatima-zahra-2", "cniecopy-fatima-zahra"),
        "recipient": "Banque de l’Atlas (démonstration)",
        "purpose": "Ouverture d’un compte",
        "view_only": True,
        "openings": 10,
    },
    {
        "papers": ("drivinglicence-fatima-zahra", "vehiclereg-fatima-zahra"),
        "recipient": "Assurance Argan (démonstration)",
        "purpose": "Contrat d’assurance automobile",
        "view_only": False,
        "openings": 10,
        "pin": "246813",
    },
)


class SharingRefused(Exception):
    """The product did not do what a wallet asked: a fault of ours, said in full."""


async def share(http: httpx.AsyncClient, db: Database, memory: Memory, *, issuer: str, locker_url: str) -> None:
    """``http`` is a program without cookies; ``db`` is the provider's."""
    if memory.kept.shares:
        return
    key = SigningKey.generate("ES256")
    token = await _wallet_token(http, db, memory, key, issuer=issuer, locker_url=locker_url)
    held = Holder(key, token)
    # A seeding that was killed may have left links that nobody knows.
    _expect(await http.delete("/v1/shares", auth=held), 200, 204)
    _expect(await http.get("/v1/documents", auth=held), 200)
    made: list[KeptShare] = []
    for wanted in _SHARES:
        until = dt.datetime.now(dt.UTC) + dt.timedelta(days=29)
        answer = _expect(
            await http.post(
                "/v1/shares",
                auth=held,
                json={
                    **{name: value for name, value in wanted.items() if name != "papers"},
                    "documents": [memory.kept.documents[paper] for paper in wanted["papers"]],
                    "until": until.isoformat(timespec="seconds"),
                },
            ),
            201,
        )
        made.append(
            KeptShare(recipient=wanted["recipient"], path=urlsplit(answer.json()["url"]).path, pin=wanted.get("pin"))
        )
    _expect(await http.post(made[0].path, json={}, headers={"Accept": "application/json"}), 200)
    memory.kept.shares = made
    memory.save()


async def _wallet_token(
    http: httpx.AsyncClient, db: Database, memory: Memory, key: SigningKey, *, issuer: str, locker_url: str
) -> str:
    """Authorization code with PKCE, in a browser in which the citizen is signed in."""
    cookie = await _signed_in(db, memory.kept.citizens[SHARER].uid)
    verifier = secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    browser = _Browser(http, {SESSION_COOKIE: cookie})
    answer = await browser.get(
        f"{issuer}/authorize",
        params={
            "client_id": WALLET,
            "redirect_uri": WALLET_CALLBACK,
            "response_type": "code",
            "scope": _SCOPE,
            "state": secrets.token_urlsafe(16),
            "nonce": secrets.token_urlsafe(16),
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "resource": locker_url,
        },
    )
    if "/consent" in answer.headers.get("location", ""):
        answer = await _allow(browser, issuer, answer.headers["location"])
    code = dict(parse_qsl(urlsplit(_expect(answer, 303).headers["location"]).query)).get("code")
    if code is None:
        raise SharingRefused(f"authorize: {answer.headers['location']}")
    answer = await http.post(
        f"{issuer}/token",
        auth=Holder(key),
        data={
            "grant_type": "authorization_code",
            "client_id": WALLET,
            "redirect_uri": WALLET_CALLBACK,
            "code": code,
            "code_verifier": verifier,
            "resource": locker_url,
        },
    )
    return str(_expect(answer, 200).json()["access_token"])


async def _signed_in(db: Database, uid: str) -> str:
    """Started here and not at the sign-in page: the citizen's code of this half minute stays unused."""
    citizen = await find_by_uid(db, uid)
    assert citizen is not None

    async def once(tx: Tx) -> str:
        started = await start(
            tx,
            Audit("idp"),
            citizen_id=citizen.citizen_id,
            acr="substantial",
            amr=["pwd", "otp", "mfa"],
            browser_label="My Wallet (demonstration)",
            lifetime_s=_SESSION_S,
            purpose=WALLET,
        )
        return started.token

    return await db.transact(once)


async def _allow(browser: "_Browser", issuer: str, location: str) -> httpx.Response:
    origin = "{0.scheme}://{0.netloc}".format(urlsplit(issuer))
    page = _expect(await browser.get(f"{origin}{location}"), 200)
    csrf = re.search(r'name="csrf" value="([^"]+)"', page.text)
    if csrf is None:
        raise SharingRefused("the consent page has no form")
    answer = await browser.post(f"{origin}{location}", data={"csrf": csrf[1], "decision": "allow"})
    return await browser.get(f"{origin}{_expect(answer, 303).headers['location']}")


class _Browser:
    """A cookie jar by hand: ``__Host-`` cookies are Secure, and at http://localhost only browsers send them."""

    def __init__(self, http: httpx.AsyncClient, cookies: dict[str, str]) -> None:
        self._http = http
        self._cookies = cookies

    async def get(self, url: str, *, params: dict[str, str] | None = None) -> httpx.Response:
        return self._noted(await self._http.get(url, params=params, headers=self._headers()))

    async def post(self, url: str, *, data: dict[str, str]) -> httpx.Response:
        return self._noted(await self._http.post(url, data=data, headers=self._headers()))

    def _headers(self) -> dict[str, str]:
        cookies = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        return {"Accept": "text/html", "Cookie": cookies}

    def _noted(self, answer: httpx.Response) -> httpx.Response:
        for line in answer.headers.get_list("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            self._cookies[name] = value
        return answer


def _expect(answer: httpx.Response, *statuses: int) -> httpx.Response:
    if answer.status_code not in statuses:
        path = answer.request.url.path
        # The path of a link is its secret.
        said = "/s/…" if path.startswith("/s/") else path
        raise SharingRefused(f"{said}: {answer.status_code} {answer.text[:1000]}")
    return answer
