"""The demo country in the real product: both apps on a real database and a real object store, in this process."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio

from idp.app import create_app as create_idp
from idp.authenticators.totp import code_at, step_at
from khizana.demo.enrol import secret_bytes
from khizana.demo.seed import Told, seed
from khizana.deployment import Deployment
from khizana.embedded.s3 import EmbeddedS3
from khizana.prepare import prepare
from khizana.serve import Dispatcher
from locker.app import create_app as create_locker
from tests.conftest import Dsns
from tests.provider import csrf_of, lived

# The scheme matters: __Host- cookies are Secure, and httpx sends them over https alone.
URL = "https://khizana.test"

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]


class LostAnswers(httpx.AsyncBaseTransport):
    """Some answers to deposits never arrive, though the locker has done what was asked; after some, we are killed."""

    def __init__(self, wire: httpx.AsyncBaseTransport) -> None:
        self._wire = wire
        self.deposits = 0
        self.lose: set[int] = set()
        self.kill_at: int | None = None
        self.victim: asyncio.Task[Any] | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await self._wire.handle_async_request(request)
        if request.url.path == "/v1/deposits":
            self.deposits += 1
            if self.deposits in self.lose:
                raise httpx.ReadError("the answer was lost")
            if self.deposits == self.kill_at and self.victim is not None:
                self.victim.cancel()
        return answer


@dataclass
class Product:
    home: Path
    deployment: Deployment
    wire: LostAnswers
    owner_dsn: str
    told: list[Told] = field(default_factory=list)

    async def seed(self) -> Told:
        return await seed(
            self.home,
            idp_settings=self.deployment.idp_settings(),
            locker_settings=self.deployment.locker_settings(),
            transport=self.wire,
        )

    def browser(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=self.wire, base_url=URL, headers={"Accept": "text/html"})

    async def rows(self, sql: str) -> list[Any]:
        connection = await asyncpg.connect(self.owner_dsn)
        try:
            return list(await connection.fetch(sql))
        finally:
            await connection.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def product(dsns: Dsns, s3: EmbeddedS3, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Product]:
    """Seeded in three runs: one loses answers and fails, one is killed in the middle, one completes."""
    home = tmp_path_factory.mktemp("home")
    deployment = Deployment(
        {
            "KHIZANA_MODE": "embedded",
            "KHIZANA_ISSUER": f"{URL}/idp",
            "KHIZANA_LOCKER_URL": URL,
            "KHIZANA_OWNER_DATABASE_URL": dsns.owner,
            "KHIZANA_IDP_DATABASE_URL": dsns.idp,
            "KHIZANA_IDP_SECRET": "0123456789abcdef" * 4,
            "KHIZANA_IDP_KEYS_FOLDER": str(home / "keys" / "idp"),
            "KHIZANA_IDP_DEMO_OUTBOX": "true",
            "KHIZANA_LOCKER_DATABASE_URL": dsns.locker,
            "KHIZANA_LOCKER_SECRET": "fedcba9876543210" * 4,
            "KHIZANA_LOCKER_KEYS_FOLDER": str(home / "keys" / "locker"),
            "KHIZANA_LOCKER_S3_ENDPOINT": s3.endpoint,
            "KHIZANA_LOCKER_S3_ACCESS_KEY": s3.access_key,
            "KHIZANA_LOCKER_S3_SECRET_KEY": s3.secret_key,
            "KHIZANA_LOCKER_S3_BUCKET": s3.bucket,
            "KHIZANA_LOCKER_JUDGE_WORKERS": "1",
            # In one process a killed client takes its requests with it, and they hold their keys until the lease ends.
            "KHIZANA_LOCKER_IDEMPOTENCY_LEASE_S": "3",
        }
    )
    await prepare(deployment)
    async with AsyncExitStack() as stack:
        provider = create_idp(deployment.idp_settings())
        wire = httpx.ASGITransport(app=provider, client=("127.0.0.1", 1))  # type: ignore[arg-type]
        locker = create_locker(deployment.locker_settings(), idp_transport=wire)
        for app in (provider, locker):
            await stack.enter_async_context(lived(app))
        both = httpx.ASGITransport(app=Dispatcher(provider, locker), client=("127.0.0.1", 1))  # type: ignore[arg-type]
        made = Product(home, deployment, LostAnswers(both), dsns.owner)
        made.wire.lose = {3}
        # Alone or in the group of the deposits that ran beside it.
        try:
            await made.seed()
        except* httpx.ReadError:
            pass
        made.wire.victim = asyncio.create_task(made.seed())
        made.wire.kill_at = made.wire.deposits + 12
        with contextlib.suppress(asyncio.CancelledError):
            await made.wire.victim
        made.wire.victim = None
        held = await made.rows("SELECT count(*) FROM locker.document")
        assert 0 < held[0]["count"] < 44, "the test wants to kill it in the middle"
        made.told.append(await made.seed())
        yield made


async def test_after_being_killed_it_goes_on_and_deposits_nothing_twice(product: Product) -> None:
    (found,) = await product.rows(
        "SELECT count(*) AS documents, count(DISTINCT owner) AS owners, count(DISTINCT sha256) AS contents"
        "  FROM locker.document"
    )
    assert dict(found) == {"documents": 44, "owners": 8, "contents": 44}
    assert product.told[0].documents == 44
    deposited = await product.rows("SELECT count(*) FROM locker.audit WHERE action = 'document.deposited'")
    assert deposited[0]["count"] == 44


async def test_run_again_it_changes_nothing_and_tells_the_same(product: Product) -> None:
    before = await product.rows("SELECT count(*) FROM locker.audit")
    assert await product.seed() == product.told[0]
    assert await product.rows("SELECT count(*) FROM locker.audit") == before


async def test_one_document_is_revoked_one_superseded_and_one_expired(product: Product) -> None:
    states = await product.rows(
        """
        SELECT type, CASE WHEN state = 'valid' AND valid_until < (now() AT TIME ZONE 'UTC')::date THEN 'expired'
                          ELSE state END AS state, state_reason
          FROM locker.document"""
    )
    unusual = sorted((row["state"], row["type"], row["state_reason"]) for row in states if row["state"] != "valid")
    assert [row[:2] for row in unusual] == [
        ("expired", "RESIDENCE"),
        ("revoked", "TAXSTATUS"),
        ("superseded", "RESIDENCE"),
    ]
    assert unusual[1][2] == "issued-in-error"


async def test_every_document_passed_totally_with_a_proven_time(product: Product) -> None:
    rows = await product.rows("SELECT DISTINCT indication, level, signed_at IS NOT NULL AS dated FROM locker.document")
    assert [tuple(row) for row in rows] == [("TOTAL-PASSED", "PAdES-BASELINE-T", True)]


async def test_the_printed_sign_ins_sign_in(product: Product) -> None:
    assert len(product.told[0].sign_ins) == 7
    for one in product.told[0].sign_ins:
        async with product.browser() as browser:
            page = await browser.get("/idp/sign-in")
            answer = await browser.post(
                "/idp/sign-in", data={"csrf": csrf_of(page), "username": one.uid, "password": one.password}
            )
            assert answer.status_code == 303, answer.text
            page = await browser.get(answer.headers["location"])
            otp = code_at(secret_bytes(one.totp_secret), step_at(time.time()))
            answer = await browser.post(answer.headers["location"], data={"csrf": csrf_of(page), "otp": otp})
            assert answer.status_code == 303, answer.text
            home = await browser.get("/idp/account")
            assert home.status_code == 200
            assert one.uid in home.text


async def test_the_account_left_over_can_be_activated_with_the_printed_code(product: Product) -> None:
    (one,) = product.told[0].to_activate
    async with product.browser() as browser:
        page = await browser.get("/idp/activate")
        answer = await browser.post(
            "/idp/activate",
            data={"csrf": csrf_of(page), "username": one.uid, "activation_code": one.activation_code},
        )
        assert answer.status_code == 303
        assert (await browser.get(answer.headers["location"])).status_code == 200


async def test_the_printed_links_open(product: Product) -> None:
    free, with_pin = product.told[0].shares
    async with product.browser() as browser:
        for link, body in ((free, {}), (with_pin, {"pin": with_pin.pin})):
            answer = await browser.post(link.url, json=body, headers={"Accept": "application/json"})
            assert answer.status_code == 200, answer.text
            assert len(answer.json()["documents"]) == 2
        refused = await browser.post(with_pin.url, json={"pin": "000000"}, headers={"Accept": "application/json"})
        assert refused.status_code != 200


async def test_the_bank_knows_its_secret(product: Product) -> None:
    bank = product.told[0].relying_parties[0]
    assert bank.client_secret
    async with product.browser() as http:
        answer = await http.post(
            "/idp/token",
            data={"grant_type": "refresh_token", "refresh_token": "none"},
            auth=(bank.client_id, bank.client_secret),
        )
        assert answer.json()["error"] == "invalid_grant"


async def test_what_is_kept_is_for_its_owner_alone(product: Product) -> None:
    folder = product.home / "demo"
    assert folder.stat().st_mode & 0o077 == 0
    for file in folder.rglob("*"):
        if file.is_file() and file.suffix in (".key", ".pem", ".json"):
            assert file.stat().st_mode & 0o077 == 0, file
    assert not list(folder.rglob("*.part"))
