"""Documents that their issuer keeps: an https server of the issuer on this machine, asked by signed requests."""

import asyncio
import base64
import hashlib
import json
import re
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import pytest_asyncio
from aiohttp import web
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from khizana.rounds import quarantine_desk, sweep_locker
from kit.audit import Audit
from locker.deposits.judge_again import JudgedAgain, judge_again
from locker.references import store
from locker.references.confirm import RETRY_S
from locker.references.let_go import let_go
from locker.sweeping.reconcile import reconcile
from locker.trust.add import add
from locker.trust.schema import TrustAddition
from tests import client_certificates
from tests.citizen_browser import CitizenWorld, open_citizen_world
from tests.locker_world import AMINA, BIRTH, INTERIOR, JUSTICE, RECORD, YOUSSEF, World, plain_pdf
from tests.sites import Request, Site, authority_files, running_site

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOST = "docs.site.test"


@dataclass
class Kept:
    """The issuer's server and the locker that asks it."""

    place: CitizenWorld
    site: Site
    client_authority: Path
    """Of the certificate that the locker shows."""

    @property
    def world(self) -> World:
        return self.place.world

    def requests(self) -> int:
        return self.site.requests.qsize()

    def serve(self, pdf: bytes, path: str | None = None) -> str:
        path = path or f"/{secrets.token_hex(8)}.pdf"
        self.site.serve(path, pdf, "application/pdf")
        return self.site.url(path, host=HOST)

    async def deposit(
        self, url: str, sha256: bytes | str, *, administration: str = INTERIOR, key: str | None = None, **members: Any
    ) -> httpx.Response:
        request = {
            "type": BIRTH,
            "subject": {"uid": AMINA},
            "fields": {"family_name": "Alaoui"},
            "url": url,
            "sha256": sha256 if isinstance(sha256, str) else sha256.hex(),
            **members,
        }
        request = {name: value for name, value in request.items() if value is not msgspec.UNSET}
        headers = {**self.world.machine(administration), "Idempotency-Key": f'"{key or secrets.token_hex(16)}"'}
        return await self.world.locker.post("/v1/deposits/references", headers=headers, content=json.dumps(request))

    async def deposited(self, pdf: bytes, **members: Any) -> tuple[str, str]:
        """document_id and the path at the issuer's."""
        url = self.serve(pdf)
        answer = await self.deposit(url, hashlib.sha256(pdf).digest(), **members)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["document_id"]), "/" + url.rpartition("/")[2]

    async def original(self, document_id: str, **headers: str) -> httpx.Response:
        return await self.world.locker.get(
            f"/v1/documents/{document_id}/original", headers={**self.world.citizen(), **headers}
        )

    async def detail(self, document_id: str) -> dict[str, Any]:
        answer = await self.world.locker.get(f"/v1/documents/{document_id}", headers=self.world.citizen())
        found: dict[str, Any] = answer.json()
        return found

    async def let_go(self) -> None:
        """The worker's round: what is old enough is let go, and the sweeper's grace is none here."""
        wiring = self.world.wiring
        await sweep_locker(wiring.db, wiring.vault, wiring.settings)

    async def object_of(self, document_id: str) -> str:
        [row] = await self.world.rows("SELECT object_key FROM locker.document WHERE document_id = $1", document_id)
        return str(row["object_key"])

    async def hours_pass(self, document_id: str, hours: int = 2) -> None:
        await self.world.owner_db.execute(
            """UPDATE locker.reference SET confirmed_at = confirmed_at - make_interval(hours => $2),
                      failed_at = failed_at - make_interval(hours => $2) WHERE document_id = $1""",
            document_id,
            hours,
        )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def kept(dsns: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Kept]:
    folder = tmp_path_factory.mktemp("locker")
    client_authority, certificate = client_certificates.files(folder, "CN=locker")
    async with (
        running_site() as site,
        open_citizen_world(
            dsns,
            s3,
            folder,
            reference_certificate_file=certificate,
            quarantine_first_wait_s=0,
            outbound_ca_file=authority_files()[0],
            outbound_loopback=True,
            deposit_pdf_max_bytes=200_000,
            deposit_intent_grace_s=0,
        ) as place,
    ):
        # Names of the test resolve here; everything else is the real client, TLS included.
        place.world.wiring.references.fetcher._resolve_blocking = lambda host, port: ["127.0.0.1"]
        for administration, domain in ((INTERIOR, "site.test"), (JUSTICE, "justice.site.test")):
            await place.world.owner_db.execute(
                "INSERT INTO locker.administration_domain (administration, domain) VALUES ($1, $2)",
                administration,
                domain,
            )
        yield Kept(place, site, client_authority)


async def test_it_is_fetched_judged_and_served_and_says_how_old_that_is(kept: Kept) -> None:
    pdf = kept.world.sealed(text="kept")
    document_id, _ = await kept.deposited(pdf)
    asked = kept.requests()
    answer = await kept.original(document_id)
    assert (answer.status_code, answer.content) == (200, pdf)
    assert kept.requests() == asked, "what is fresh is not asked for again"
    reference = (await kept.detail(document_id))["reference"]
    assert (reference["fresh"], reference["failure"], reference["copied_at"]) == (True, None, None)
    assert reference["age_s"] < 60
    whole = (await kept.world.deposit()).json()["document_id"]
    assert (await kept.detail(whole))["reference"] is None


async def test_each_request_is_signed_for_its_address_as_rfc_9421_says(kept: Kept) -> None:
    pdf = kept.world.sealed(text="signed request")
    while kept.site.requests.qsize():
        kept.site.requests.get_nowait()
    _, path = await kept.deposited(pdf)
    request = await kept.site.next()
    assert (request.method, request.path) == ("GET", path)
    headers = {name.lower(): value for name, value in request.headers.items()}
    parameters = headers["signature-input"].removeprefix("locker=")
    base = (
        f'"@method": {request.method}\n"@target-uri": https://{request.host}{request.path}\n'
        f'"@signature-params": {parameters}'
    )
    signature = base64.b64decode(headers["signature"].removeprefix("locker=:").removesuffix(":"))
    jwks = (await kept.world.locker.get("/.well-known/jwks.json")).json()["keys"]
    [key] = [jwk for jwk in jwks if f'keyid="{jwk["kid"]}"' in parameters]
    x, y = (int.from_bytes(base64.urlsafe_b64decode(key[name] + "=")) for name in ("x", "y"))
    public = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    der = encode_dss_signature(int.from_bytes(signature[:32]), int.from_bytes(signature[32:]))
    public.verify(der, base.encode(), ec.ECDSA(hashes.SHA256()))
    created = int(re.findall(r"created=(\d+)", parameters)[0])
    assert abs(created - time.time()) < 60
    assert f"expires={created + 60}" in parameters
    assert "authorization" not in headers
    assert "cookie" not in headers


async def test_after_the_bound_it_is_asked_for_once_by_many_readers(kept: Kept) -> None:
    pdf = kept.world.sealed(text="many readers")
    document_id, path = await kept.deposited(pdf)
    await kept.hours_pass(document_id)
    release, asked = asyncio.Event(), asyncio.Event()

    async def slowly(_: Request) -> web.Response:
        asked.set()
        await release.wait()
        return web.Response(body=pdf, content_type="application/pdf")

    kept.site.answers[path] = slowly
    before = kept.requests()
    reading = [asyncio.create_task(kept.original(document_id)) for _ in range(8)]
    await asked.wait()
    release.set()
    answers = await asyncio.gather(*reading)
    assert {(answer.status_code, answer.content == pdf) for answer in answers} == {(200, True)}
    assert kept.requests() == before + 1


async def test_while_another_node_fetches_this_one_waits_for_it(kept: Kept) -> None:
    document_id, _ = await kept.deposited(kept.world.sealed(text="two nodes"))
    await kept.hours_pass(document_id)
    owner_db, before = kept.world.owner_db, kept.requests()
    await owner_db.execute(
        "UPDATE locker.reference SET lease_until = now() + interval '1 minute' WHERE document_id = $1", document_id
    )
    reading = asyncio.create_task(kept.original(document_id))
    done, _ = await asyncio.wait([reading], timeout=0.6)
    assert not done
    await owner_db.execute(
        "UPDATE locker.reference SET confirmed_at = now(), lease_until = '-infinity' WHERE document_id = $1",
        document_id,
    )
    assert (await reading).status_code == 200
    assert kept.requests() == before


async def test_what_was_confirmed_just_before_our_turn_is_not_asked_for(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    document_id, _ = await kept.deposited(kept.world.sealed(text="just before"))
    await kept.hours_pass(document_id)
    claim, before = store.claim, kept.requests()

    async def claim_later(tx: Any, **which: Any) -> Any:
        await kept.world.owner_db.execute(
            "UPDATE locker.reference SET confirmed_at = now() WHERE document_id = $1", document_id
        )
        return await claim(tx, **which)

    monkeypatch.setattr(store, "claim", claim_later)
    assert (await kept.original(document_id)).status_code == 200
    assert kept.requests() == before
    [row] = await kept.world.rows(
        "SELECT lease_until < now() AS free FROM locker.reference WHERE document_id = $1", document_id
    )
    assert row["free"]


async def test_where_the_issuer_is_away_the_last_known_state_and_its_age_are_said_and_no_bytes(kept: Kept) -> None:
    pdf = kept.world.sealed(text="away")
    document_id, path = await kept.deposited(pdf)
    await kept.hours_pass(document_id)
    kept.site.refuse(path, 503)
    answer = await kept.original(document_id)
    assert (answer.status_code, answer.json()["code"], answer.json()["standing"]) == (503, "issuer-away", "valid")
    assert int(answer.headers["retry-after"]) > 0
    detail = await kept.detail(document_id)
    assert detail["standing"] == "valid"
    assert detail["fields"] == {"family_name": "Alaoui"}
    assert detail["reference"]["confirmed_at"] == answer.json()["confirmed_at"].replace("+00:00", "Z")
    assert (detail["reference"]["fresh"], detail["reference"]["failure"]) == (False, "issuer-away")
    assert detail["reference"]["age_s"] >= 7_200
    # And it is not hammered: for ten seconds the same answer costs it nothing.
    before = kept.requests()
    assert {(await kept.original(document_id)).status_code for _ in range(5)} == {503}
    assert kept.requests() == before
    # It comes back.
    kept.site.serve(path, pdf, "application/pdf")
    await kept.world.owner_db.execute(
        "UPDATE locker.reference SET failed_at = now() - interval '11 seconds' WHERE document_id = $1", document_id
    )
    assert (await kept.original(document_id)).content == pdf
    assert (await kept.detail(document_id))["reference"]["failure"] is None


@pytest.mark.parametrize("what", ["other document", "one bit", "cut short", "html", "longer than may be", "compressed"])
async def test_other_bytes_are_never_served(kept: Kept, what: str) -> None:
    pdf = kept.world.sealed(text="right")
    document_id, path = await kept.deposited(pdf)
    await kept.hours_pass(document_id)
    headers: dict[str, str] = {}
    match what:
        case "other document":
            body = kept.world.sealed(text="wrong")
        case "one bit":
            body = bytes([*pdf[:-1], pdf[-1] ^ 1])
        case "cut short":
            body = pdf[:-100]
        case "html":
            body = b"<html>" + bytes(100)
        case "compressed":
            body, headers = pdf, {"Content-Encoding": "gzip"}
        case _:
            body = pdf + bytes(300_000)
    kept.site.serve(path, body, "application/pdf", **headers)
    answer = await kept.original(document_id)
    expected = (503, "issuer-away") if what in ("longer than may be", "compressed") else (502, "not-as-deposited")
    assert (answer.status_code, answer.json()["code"]) == expected
    assert b"%PDF" not in answer.content
    again = await kept.original(document_id, Range="bytes=0-9")
    assert (again.status_code, again.json()["code"]) == expected


async def test_a_seal_that_does_not_hold_any_more_is_not_served(kept: Kept) -> None:
    document_id, _ = await kept.deposited(kept.world.sealed(text="trusted then"))
    await kept.hours_pass(document_id)
    db = kept.world.owner_db
    await db.execute("UPDATE locker.trust_anchor SET withdrawn_at = now()")
    await db.execute("UPDATE locker.trust_version SET version = version + 1")
    try:
        answer = await kept.original(document_id)
        assert (answer.status_code, answer.json()["code"]) == (502, "not-as-deposited")
    finally:
        await db.execute("UPDATE locker.trust_anchor SET withdrawn_at = NULL")
        await db.execute("UPDATE locker.trust_version SET version = version + 1")
    [line] = await kept.world.rows(
        "SELECT owner, result FROM locker.audit WHERE object_id = $1 AND action = 'document.not-confirmed'", document_id
    )
    assert (line["owner"], line["result"]) == (kept.world.subs[AMINA], "not-as-deposited")


async def test_a_redirect_is_not_followed(kept: Kept) -> None:
    pdf = kept.world.sealed(text="moved")
    target = kept.serve(pdf)
    document_id, path = await kept.deposited(pdf)
    await kept.hours_pass(document_id)
    kept.site.refuse(path, 302, Location=target)
    before = kept.requests()
    assert (await kept.original(document_id)).json()["code"] == "issuer-away"
    assert kept.requests() == before + 1


@pytest.mark.parametrize(
    "url",
    [
        "http://docs.site.test/a.pdf",
        "https://site.test.evil.test/a.pdf",
        "https://evilsite.test/a.pdf",
        "https://127.0.0.1/a.pdf",
        "https://[::1]/a.pdf",
        "https://2130706433/a.pdf",
        "https://localhost/a.pdf",
        "https://user@docs.site.test/a.pdf",
        "https://docs.site.test@evil.test/a.pdf",
        "https://evil.test/docs.site.test",
        "https://evil.test#.site.test/a.pdf",
        "https://evil.test\\.site.test/a.pdf",
        "https://docs.site.test./a.pdf",
        "https://DOCS.site.test/a.pdf",
        "https://docs.site.test:443/a.pdf",
        "https://docs.site.test:99999/a.pdf",
        "https://docs.site.test/a.pdf#x",
        "https://docs.site.test/a.pdf?",
        "https://docs.site.test/a b.pdf",
        "https://docs.site.test",
        "ftp://docs.site.test/a.pdf",
        "https://docs.site.test/é.pdf",
        "//docs.site.test/a.pdf",
    ],
)
async def test_an_address_is_https_under_ones_own_domain_in_one_spelling(kept: Kept, url: str) -> None:
    before = kept.requests()
    answer = await kept.deposit(url, bytes(32))
    assert (answer.status_code, answer.json()["code"]) == (422, "address-unfit"), url
    assert kept.requests() == before


async def test_a_domain_is_ones_own(kept: Kept) -> None:
    pdf = kept.world.sealed(JUSTICE)
    url = kept.serve(pdf)
    answer = await kept.deposit(url, hashlib.sha256(pdf).digest(), administration=JUSTICE, type=RECORD)
    assert (answer.status_code, answer.json()["code"]) == (422, "address-unfit")


async def test_a_name_that_leads_inwards_is_not_asked(kept: Kept) -> None:
    pdf = kept.world.sealed(text="inwards")
    fetcher = kept.world.wiring.references.fetcher
    document_id, _ = await kept.deposited(pdf)
    await kept.hours_pass(document_id)
    before, resolve, allowed = kept.requests(), fetcher._resolve_blocking, fetcher.loopback_allowed
    try:
        for address in ("10.0.0.1", "169.254.169.254", "fd00::1"):
            fetcher._resolve_blocking = lambda host, port, address=address: [address]
            answer = await kept.deposit(f"https://{HOST}/a.pdf", bytes(32))
            assert (answer.status_code, answer.json()["code"]) == (422, "reference-unreachable")
        # The same name, changed since the deposit.
        fetcher._resolve_blocking, fetcher.loopback_allowed = resolve, False
        assert (await kept.original(document_id)).json()["code"] == "issuer-away"
    finally:
        fetcher._resolve_blocking, fetcher.loopback_allowed = resolve, allowed
    assert kept.requests() == before


async def test_what_a_deposit_would_refuse_is_refused_and_leaves_nothing(kept: Kept) -> None:
    before = await kept.world.counts()
    unsealed = plain_pdf()
    sealed_by_another = kept.world.sealed(JUSTICE)
    right = kept.world.sealed()
    for url, sha256, members, code in (
        (kept.serve(unsealed), hashlib.sha256(unsealed).digest(), {}, "not-authentic"),
        (kept.serve(sealed_by_another), hashlib.sha256(sealed_by_another).digest(), {}, "not-authentic"),
        (kept.serve(right), bytes(32), {}, "reference-unreachable"),
        (kept.site.url("/nothing", host=HOST), bytes(32), {}, "reference-unreachable"),
        (kept.serve(right), hashlib.sha256(right).digest(), {"fields": {}}, "fields-invalid"),
        (kept.serve(right), hashlib.sha256(right).digest(), {"type": RECORD}, "type-not-allowed"),
        (kept.serve(right), "A" * 64, {}, "deposit-invalid"),
        (kept.serve(right), hashlib.sha256(right).digest(), {"state": "valid"}, "deposit-invalid"),
    ):
        answer = await kept.deposit(url, sha256, **members)
        assert answer.json()["code"] == code, answer.text
    assert await kept.world.counts() == before


async def test_a_repeated_key_gets_the_same_answer_and_asks_nobody(kept: Kept) -> None:
    pdf, key = kept.world.sealed(), secrets.token_hex(8)
    url, sha256 = kept.serve(pdf), hashlib.sha256(pdf).digest()
    first = await kept.deposit(url, sha256, key=key)
    before = kept.requests()
    assert (await kept.deposit(url, sha256, key=key)).text == first.text
    assert (await kept.deposit(kept.serve(pdf), sha256, key=key)).json()["code"] == "idempotency-key-reused"
    assert kept.requests() == before


async def test_a_share_of_it_works_in_the_same_way(kept: Kept) -> None:
    pdf = kept.world.sealed(text="shared")
    document_id, path = await kept.deposited(pdf)
    _, link = await kept.place.share(document_id, view_only=False)
    opened = (await kept.place.open(link)).json()
    headers = {"Authorization": f"Bearer {opened['viewing_token']}"}
    address = f"/o/{opened['opening_id']}/{document_id}"
    assert (await kept.world.locker.get(f"{address}/original", headers=headers)).content == pdf
    await kept.hours_pass(document_id)
    before = kept.requests()
    assert (await kept.world.locker.get(f"{address}/pages/1.png", headers=headers)).status_code == 200
    assert (await kept.world.locker.get(f"{address}/original", headers=headers)).content == pdf
    assert kept.requests() == before + 1
    await kept.hours_pass(document_id)
    kept.site.serve(path, kept.world.sealed(text="exchanged"), "application/pdf")
    for part in ("original", "pages/1.png"):
        answer = await kept.world.locker.get(f"{address}/{part}", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (502, "not-as-deposited")


async def test_a_file_of_it_is_verified_by_what_was_fetched(kept: Kept) -> None:
    pdf = kept.world.sealed(text="verified")
    await kept.deposited(pdf)
    answer = await kept.world.locker.post("/v1/verifications", content=pdf, headers={"Content-Type": "application/pdf"})
    assert (answer.json()["answer"]["standing"], answer.json()["answer"]["document"]["type"]) == ("valid", BIRTH)


async def test_what_nobody_asked_for_is_let_go_and_comes_back(kept: Kept) -> None:
    pdf = kept.world.sealed(text="let go")
    document_id, path = await kept.deposited(pdf)
    wiring, object_key = kept.world.wiring, await kept.object_of(document_id)
    await kept.let_go()
    assert object_key in await kept.world.objects()
    await kept.hours_pass(document_id, 3)
    await kept.let_go()
    assert object_key not in await kept.world.objects()
    assert await let_go(wiring.db, older_than_s=7_200) == 0
    compared = await reconcile(wiring.db, wiring.audit, wiring.vault, grace_s=0)
    assert document_id not in compared.missing
    kept.site.refuse(path, 500)
    assert (await kept.original(document_id)).status_code == 503
    kept.site.serve(path, pdf, "application/pdf")
    await kept.hours_pass(document_id)
    assert (await kept.original(document_id)).content == pdf
    assert (await kept.original(document_id, Range="bytes=5-20")).content == pdf[5:21]
    compared = await reconcile(wiring.db, wiring.audit, wiring.vault, grace_s=0)
    assert not {object_key, await kept.object_of(document_id)} & set(compared.unknown)


@pytest.mark.parametrize("swept_first", [True, False])
async def test_a_sweeper_that_is_late_takes_the_old_object_and_never_the_one_that_came_back(
    kept: Kept, swept_first: bool
) -> None:
    """The citizen agreed to a copy in between: it is the last one there is."""
    pdf = kept.world.sealed(text="late sweeper")
    document_id, path = await kept.deposited(pdf)
    old = await kept.object_of(document_id)
    await kept.hours_pass(document_id, 3)
    assert await let_go(kept.world.wiring.db, older_than_s=7_200) >= 1
    if swept_first:
        await kept.let_go()
    assert (await kept.original(document_id)).content == pdf
    browser = await kept.place.signed_in()
    page = await browser.get(f"/wallet/documents/{document_id}")
    await browser.post(
        f"/wallet/documents/{document_id}/copy",
        data={"csrf": re.findall(r'name="csrf" value="([^"]+)"', page.text)[0]},
    )
    kept.site.refuse(path, 410)
    await kept.let_go()
    assert old not in await kept.world.objects()
    await kept.hours_pass(document_id, 48)
    assert (await kept.original(document_id)).content == pdf


async def test_a_worker_of_the_version_before_that_died_while_letting_go_is_followed(kept: Kept) -> None:
    document_id, _ = await kept.deposited(kept.world.sealed(text="half gone"))
    old = await kept.object_of(document_id)
    await kept.hours_pass(document_id, 3)
    await kept.world.owner_db.execute("UPDATE locker.reference SET cached = false WHERE document_id = $1", document_id)
    assert (await kept.original(document_id)).status_code == 200
    await kept.let_go()
    assert old not in await kept.world.objects()
    assert (await kept.original(document_id)).status_code == 200


async def test_who_fetched_for_longer_than_its_lease_writes_nothing(kept: Kept) -> None:
    document_id, _ = await kept.deposited(kept.world.sealed(text="late"))
    who = {"owner": kept.world.subs[AMINA], "document_id": document_id}
    db = kept.world.wiring.db
    late = await store.claim(db, **who, lease_s=-1)
    assert late is not None
    other = await store.claim(db, **who, lease_s=60)
    assert other is not None
    assert await store.claim(db, **who, lease_s=60) is None
    assert not await store.fail(db, **who, lease=late, failure="issuer-away")
    assert not await store.confirm(db, **who, lease=late)
    assert await store.confirm(db, **who, lease=other)
    assert not await store.fail(db, **who, lease=late, failure="issuer-away")
    row = await store.find(db, **who, retry_s=RETRY_S)
    assert row is not None
    assert (row.failure, row.failed_lately) == (None, False)


async def test_with_the_citizens_consent_a_copy_is_kept_and_the_issuer_is_asked_no_more(kept: Kept) -> None:
    pdf = kept.world.sealed(text="copied")
    document_id, path = await kept.deposited(pdf)
    browser = await kept.place.signed_in()
    page = await browser.get(f"/wallet/documents/{document_id}")
    token = re.findall(r'name="csrf" value="([^"]+)"', page.text)[0]
    assert (await browser.post(f"/wallet/documents/{document_id}/copy", data={})).status_code == 403
    answer = await browser.post(f"/wallet/documents/{document_id}/copy", data={"csrf": token})
    assert answer.status_code in (200, 303)
    await kept.hours_pass(document_id, 48)
    kept.site.refuse(path, 410)
    before = kept.requests()
    assert (await kept.original(document_id)).content == pdf
    await kept.let_go()
    assert (await kept.original(document_id)).content == pdf
    assert kept.requests() == before
    assert (await kept.detail(document_id))["reference"]["copied_at"] is not None
    lines = await kept.world.rows(
        "SELECT action FROM locker.audit WHERE object_id = $1 AND action = 'document.copied'", document_id
    )
    assert len(lines) == 1
    assert await kept.world.rows("SELECT 1 FROM locker.archived WHERE document_id = $1", document_id)


async def test_without_consent_nothing_is_archived_and_the_address_is_sealed(kept: Kept) -> None:
    document_id, path = await kept.deposited(kept.world.sealed())
    assert await kept.world.rows("SELECT 1 FROM locker.archived WHERE document_id = $1", document_id) == []
    [row] = await kept.world.rows(
        """SELECT row_to_json(d)::text || row_to_json(r)::text AS text, r.url_sealed
             FROM locker.document d JOIN locker.reference r USING (owner, document_id) WHERE document_id = $1""",
        document_id,
    )
    assert path not in row["text"]
    assert path.encode() not in row["url_sealed"]


async def test_a_slow_issuer_takes_half_of_the_places_and_keeps_no_others_readers_waiting(kept: Kept) -> None:
    release, two = asyncio.Event(), asyncio.Event()
    places = kept.world.wiring.deposits.places
    free = places._free
    at_once = most = 0
    slow = []
    for number in range(6):
        pdf = kept.world.sealed(text=f"slow {number}")
        path = f"/{secrets.token_hex(8)}.pdf"
        # Another host does not make it another issuer.
        url = kept.serve(pdf, path).replace(HOST, f"host{number}.site.test")
        document_id = (await kept.deposit(url, hashlib.sha256(pdf).digest())).json()["document_id"]
        await kept.hours_pass(document_id)
        slow.append(document_id)

        async def slowly(_: Request, pdf: bytes = pdf) -> web.Response:
            nonlocal at_once, most
            at_once += 1
            most = max(most, at_once)
            if at_once == 2:
                two.set()
            await release.wait()
            at_once -= 1
            return web.Response(body=pdf, content_type="application/pdf")

        kept.site.answers[path] = slowly
    other = kept.world.sealed(JUSTICE, text="quick")
    url = kept.serve(other).replace(HOST, "justice.site.test")
    answer = await kept.deposit(url, hashlib.sha256(other).digest(), administration=JUSTICE, type=RECORD)
    assert answer.status_code == 201, answer.text
    quick = answer.json()["document_id"]
    await kept.hours_pass(quick)
    reading = [asyncio.create_task(kept.original(document_id)) for document_id in slow]
    await two.wait()
    kept.site.answers["/slow-deposit.pdf"] = slowly
    depositing = asyncio.create_task(kept.deposit(kept.site.url("/slow-deposit.pdf", host=HOST), bytes(32)))
    assert (await kept.original(quick)).content == other
    assert places._free == free, "nobody's deposit has less room for it"
    release.set()
    answers = await asyncio.gather(*reading)
    assert {answer.status_code for answer in answers} == {200}
    assert most == 2
    assert (await depositing).status_code == 422


async def test_the_page_does_not_call_it_authentic_while_other_bytes_are_kept(kept: Kept) -> None:
    document_id, path = await kept.deposited(kept.world.sealed(text="page"))
    browser = await kept.place.signed_in()
    assert 'class="verdict tone-good"' in (await browser.get(f"/wallet/documents/{document_id}")).text
    await kept.hours_pass(document_id)
    kept.site.serve(path, kept.world.sealed(text="exchanged"), "application/pdf")
    assert (await kept.original(document_id)).status_code == 502
    page = (await browser.get(f"/wallet/documents/{document_id}")).text
    assert 'class="verdict tone-good"' not in page
    assert 'class="verdict tone-bad"' in page


async def test_of_several_owners_each_has_their_own_and_asks_for_it_alone(kept: Kept) -> None:
    pdf = kept.world.sealed(text="deed")
    url = kept.serve(pdf)
    answer = await kept.deposit(
        url,
        hashlib.sha256(pdf).digest(),
        subject=msgspec.UNSET,
        subjects=[{"uid": AMINA}, {"uid": YOUSSEF}],
    )
    assert answer.status_code == 201, answer.text
    before = kept.requests()
    for one, uid in zip(answer.json()["documents"], (AMINA, YOUSSEF), strict=True):
        await kept.hours_pass(one["document_id"])
        original = await kept.world.locker.get(
            f"/v1/documents/{one['document_id']}/original", headers=kept.world.citizen(uid)
        )
        assert original.content == pdf
    assert kept.requests() == before + 2


async def test_of_an_erased_citizen_nothing_is_asked(kept: Kept) -> None:
    """The address itself is noise then."""
    pdf = kept.world.sealed(text="erased")
    document_id, _ = await kept.deposited(pdf, subject={"uid": YOUSSEF})
    await kept.hours_pass(document_id)
    wiring, before = kept.world.wiring, kept.requests()
    await wiring.db.transact(lambda tx: wiring.vault.destroy_owner_key(tx, owner=kept.world.subs[YOUSSEF]))
    answer = await kept.world.locker.get(f"/v1/documents/{document_id}/original", headers=kept.world.citizen(YOUSSEF))
    assert (answer.status_code, answer.json()["code"]) == (410, "erased")
    assert kept.requests() == before
    [row] = await kept.world.rows(
        "SELECT lease_until < now() AS free FROM locker.reference WHERE document_id = $1", document_id
    )
    assert row["free"], "nobody holds it"


@pytest.mark.parametrize("what", ["domain", "administration", "type"])
async def test_what_was_taken_from_the_issuer_since_then_ends_the_fetching(kept: Kept, what: str) -> None:
    document_id, _ = await kept.deposited(kept.world.sealed(text=f"taken {what}"))
    await kept.hours_pass(document_id)
    take, give = {
        "domain": (
            "DELETE FROM locker.administration_domain WHERE administration = $1",
            "INSERT INTO locker.administration_domain (administration, domain) VALUES ($1, 'site.test')",
        ),
        "administration": (
            "UPDATE locker.administration SET state = 'suspended' WHERE administration = $1",
            "UPDATE locker.administration SET state = 'active' WHERE administration = $1",
        ),
        "type": (
            "DELETE FROM locker.entitlement WHERE administration = $1",
            "INSERT INTO locker.entitlement (administration, type) VALUES ($1, 'BIRTHEXTRACT')",
        ),
    }[what]
    before = kept.requests()
    await kept.world.owner_db.execute(take, INTERIOR)
    try:
        answer = await kept.original(document_id)
    finally:
        await kept.world.owner_db.execute(give, INTERIOR)
    assert (answer.status_code, answer.json()["code"]) == (503, "issuer-away")
    assert what != "domain" or kept.requests() == before


async def test_a_server_that_asks_for_a_certificate_is_shown_the_lockers(kept: Kept) -> None:
    """Mutual TLS, beside the signature: the server takes no connection without it."""
    pdf = kept.world.sealed(text="mutual TLS")
    async with running_site(clients=kept.client_authority) as site:
        site.serve("/kept.pdf", pdf, "application/pdf")
        answer = await kept.deposit(site.url("/kept.pdf", host=HOST), hashlib.sha256(pdf).digest())
        assert answer.status_code == 201, answer.text
        await kept.hours_pass(answer.json()["document_id"])
        assert (await kept.original(answer.json()["document_id"])).content == pdf
        assert site.requests.qsize() == 2


async def test_what_cannot_be_judged_yet_waits_and_is_then_as_old_as_its_fetch(kept: Kept) -> None:
    wiring, db = kept.world.wiring, kept.world.owner_db
    pdf = kept.world.sealed(text="waits")
    url, key = kept.serve(pdf), secrets.token_hex(8)
    await db.execute("DELETE FROM locker.trust_material WHERE kind = 'crl'")
    await db.execute("UPDATE locker.trust_version SET version = version + 1")
    answer = await kept.deposit(url, hashlib.sha256(pdf).digest(), key=key)
    assert (answer.status_code, answer.json()["state"]) == (202, "quarantined")
    document_id = answer.json()["document_id"]
    assert (await kept.original(document_id)).status_code == 404
    again = await kept.deposit(url, hashlib.sha256(pdf).digest(), key=key)
    assert (again.status_code, again.json()) == (202, answer.json())
    await db.execute("UPDATE locker.quarantine SET received_at = received_at - interval '2 hours'")
    crls = [base64.b64encode(crl).decode() for crl in kept.world.pki.crls]
    await add(wiring.db, Audit("locker"), TrustAddition(crls=crls), officer="test")
    before = kept.requests()
    desk = quarantine_desk(wiring.db, wiring.vault, wiring.judge, wiring.settings)
    assert await judge_again(desk) == JudgedAgain(passed=1)
    assert kept.requests() == before, "it is judged by what was fetched"
    reference = (await kept.detail(document_id))["reference"]
    assert (reference["fresh"], reference["age_s"] >= 7_200) == (False, True)
    assert (await kept.original(document_id)).content == pdf
    assert kept.requests() == before + 1


async def test_the_right_bytes_that_cannot_be_judged_now_are_not_called_others(kept: Kept) -> None:
    """The list of revoked certificates is late, as it is at times: nobody is accused of anything."""
    pdf = kept.world.sealed(text="late list")
    document_id, _ = await kept.deposited(pdf)
    await kept.hours_pass(document_id)
    wiring, db = kept.world.wiring, kept.world.owner_db
    await db.execute("DELETE FROM locker.trust_material WHERE kind = 'crl'")
    await db.execute("UPDATE locker.trust_version SET version = version + 1")
    try:
        answer = await kept.original(document_id)
        assert (answer.status_code, answer.json()["code"]) == (503, "not-judged-now")
        before = kept.requests()
        assert (await kept.original(document_id)).json()["code"] == "not-judged-now"
        assert kept.requests() == before
        assert (await kept.detail(document_id))["reference"]["failure"] == "not-judged-now"
        browser = await kept.place.signed_in()
        page = (await browser.get(f"/wallet/documents/{document_id}")).text
        assert "si le cachet de ce document tient toujours" in page
        assert 'class="verdict tone-bad"' not in page
    finally:
        crls = [base64.b64encode(crl).decode() for crl in kept.world.pki.crls]
        await add(wiring.db, Audit("locker"), TrustAddition(crls=crls), officer="test")
    lines = "SELECT 1 FROM locker.audit WHERE object_id = $1 AND action = 'document.not-confirmed'"
    assert await kept.world.rows(lines, document_id) == []
    await kept.hours_pass(document_id)
    assert (await kept.original(document_id)).content == pdf


async def test_an_object_that_is_lost_comes_back_with_the_next_fetch(kept: Kept) -> None:
    """After a restore the database may name an object that was let go since."""
    pdf = kept.world.sealed(text="lost")
    document_id, _ = await kept.deposited(pdf)
    await kept.world.wiring.vault.delete(await kept.object_of(document_id))
    assert (await kept.original(document_id)).status_code >= 500
    await kept.hours_pass(document_id)
    assert (await kept.original(document_id)).content == pdf
