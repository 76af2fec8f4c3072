"""The whole main job over HTTP, on a running product: deposit, sign in, see, share, open, verify, and what is left."""

import base64
import hashlib
import re
import secrets
import subprocess
import time
import zipfile
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from khizana.demo.country import ADMINISTRATIONS
from khizana.demo.deposit import _multipart
from khizana.demo.documents import Registry
from khizana.demo.papers import papers
from khizana.demo.pki import load_or_create
from khizana.demo.register import client_id_of, key_of
from khizana.holder import Holder
from kit.jose import client_assertion
from tests.conftest import ROOT
from tests.product import HttpBrowser, Product

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
BOUNDARY = "khizana-demo-a-line-that-no-paper-has"


def machine(product: Product, administration: str) -> Holder:
    """An administration's back end with its token."""
    client_id = client_id_of(administration)
    key = key_of(Path(product.told["folder"]), client_id)
    answer = httpx.post(
        f"{product.issuer}/token",
        auth=Holder(key),
        data={
            "grant_type": "client_credentials",
            "scope": "documents:deposit",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": client_assertion(
                key, client_id=client_id, audience=product.issuer, jti=secrets.token_urlsafe(16)
            ),
        },
    )
    assert answer.status_code == 200, answer.text
    return Holder(key, answer.json()["access_token"])


def freshly_sealed(product: Product, uid: str) -> tuple[str, dict[str, Any], bytes]:
    """Depositing administration, its request and a document that was sealed just now."""
    import datetime as dt

    import msgspec

    folder = Path(product.told["folder"])
    pki = load_or_create(folder / "pki", [administration.seal_order for administration in ADMINISTRATIONS])
    paper = next(one for one in papers(dt.datetime.now(dt.UTC).date()) if one.type.code == "RESIDENCE")
    request = {
        "type": paper.type.code,
        "subject": {"uid": uid},
        "fields": paper.fields,
        "valid_from": paper.issued_on.isoformat(),
    }
    return paper.administration, msgspec.to_builtins(request), Registry(pki).sealed(paper)


def deposit(product: Product, back_end: Holder, request: dict[str, Any], pdf: bytes, key: str) -> httpx.Response:
    import msgspec

    return httpx.post(
        f"{product.url}/v1/deposits",
        content=_multipart(msgspec.json.encode(request), pdf),
        auth=back_end,
        headers={
            "Idempotency-Key": f'"{key}"',
            "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
        },
        timeout=60,
    )


def signed_in(product: Product, number: int, language: str = "fr") -> HttpBrowser:
    browser = product.browser(language)
    page = browser.follow(browser.get("/sign-in?return_to=/wallet"))
    page = browser.sign_in(page, product.citizens[number])
    assert str(page.request.url) == f"{product.url}/wallet", page.text
    return browser


def share(browser: HttpBrowser, document_id: str, **limits: str) -> str:
    """Four small steps in the browser; the link."""
    page = browser.get(f"/wallet/shares/new?document={document_id}")
    page = browser.submit(page, document=document_id)
    page = browser.submit(page, recipient="Banque de l'Atlas", purpose="Ouvrir un compte")
    page = browser.submit(page, days="7", openings="2", **limits)
    page = browser.submit(page)
    found = re.search(r'id="link"[^>]*value="([^"]+)"', page.text)
    assert found, page.text
    return unescape(found[1])


def test_an_administration_deposits_a_citizen_shares_a_relying_party_verifies(product: Product) -> None:
    citizen = product.citizens[0]
    administration, request, pdf = freshly_sealed(product, citizen.uid)
    back_end = machine(product, administration)

    # The administration deposits; the same again is the same document.
    key = secrets.token_urlsafe(12)
    first, again = (deposit(product, back_end, request, pdf, key) for _ in range(2))
    assert first.status_code == 201, first.text
    assert again.json() == first.json()
    document_id = first.json()["document_id"]
    locker_keys = httpx.get(f"{product.url}/.well-known/jwks.json").json()
    receipt = jwt.decode(
        first.json()["receipt"],
        jwt.PyJWK(locker_keys["keys"][0]).key,
        algorithms=["ES256"],
        options={"verify_aud": False},
    )
    assert receipt["sha256"] in (
        hashlib.sha256(pdf).hexdigest(),
        base64.b64encode(hashlib.sha256(pdf).digest()).decode(),
    )

    # The citizen signs in, sees it, and downloads the very bytes.
    browser = signed_in(product, 0)
    wallet = browser.get("/wallet")
    assert document_id in wallet.text
    page = browser.get(f"/wallet/documents/{document_id}")
    assert page.status_code == 200
    original = browser.get(f"/wallet/documents/{document_id}/original")
    assert original.content == pdf
    part = browser.get(f"/wallet/documents/{document_id}/original", Range="bytes=1000-1999")
    assert (part.status_code, part.content) == (206, pdf[1000:2000])
    picture = browser.get(f"/wallet/documents/{document_id}/pages/1.png")
    assert picture.content[:8] == b"\x89PNG\r\n\x1a\n"

    # Shares it; the link shows nothing before it is opened, and is opened twice at most.
    link = share(browser, document_id)
    reader = product.browser()
    landing = reader.get(link)
    assert landing.status_code == 200
    assert request["type"] not in landing.text
    opened = reader.submit(landing)
    assert opened.status_code == 200, opened.text
    assert hashlib.sha256(pdf).hexdigest() in opened.text
    by_program = httpx.post(link, json={}, headers={"Accept": "application/json"})
    assert by_program.status_code == 200, by_program.text
    assert "TOTAL-PASSED" in by_program.text
    assert httpx.post(link, json={}, headers={"Accept": "application/json"}).status_code == 404

    # A relying party verifies the file itself.
    verified = httpx.post(
        f"{product.url}/v1/verifications", content=pdf, headers={"Content-Type": "application/pdf"}, timeout=60
    )
    assert verified.status_code == 200, verified.text
    assert "TOTAL-PASSED" in verified.text
    assert '"valid"' in verified.text

    # The citizen sees who did what.
    history = browser.get("/wallet/history")
    assert "Banque de l" in unescape(history.text)

    # The administration revokes: the citizen and the next verifier see it at once.
    revoked = httpx.post(
        f"{product.url}/v1/documents/{document_id}/revoke",
        json={"reason": "issued-in-error"},
        auth=back_end,
    )
    assert revoked.status_code == 200, revoked.text
    after = httpx.post(
        f"{product.url}/v1/verifications", content=pdf, headers={"Content-Type": "application/pdf"}, timeout=60
    )
    assert '"revoked"' in after.text


def test_a_changed_document_is_refused_by_its_indication_and_nothing_is_stored(product: Product) -> None:
    administration, request, pdf = freshly_sealed(product, product.citizens[1].uid)
    back_end = machine(product, administration)
    at = pdf.index(b"stream") + 40
    changed = pdf[:at] + bytes([pdf[at] ^ 1]) + pdf[at + 1 :]
    refused = deposit(product, back_end, request, changed, secrets.token_urlsafe(12))
    assert refused.status_code == 422
    assert refused.headers["content-type"].startswith("application/problem+json")
    assert (refused.json()["indication"], refused.json()["sub_indication"]) == ("TOTAL-FAILED", "HASH_FAILURE")


@pytest.mark.parametrize(("number", "language"), [(2, "ar"), (3, "zgh"), (4, "en")])
def test_the_wallet_speaks_the_citizens_language(product: Product, number: int, language: str) -> None:
    browser = signed_in(product, number, language)
    wallet = browser.get("/wallet")
    assert f'lang="{ {"ar": "ar-MA"}.get(language, language) }"' in wallet.text
    assert f'dir="{"rtl" if language == "ar" else "ltr"}"' in wallet.text


def test_a_citizen_takes_everything_along_and_stays(product: Product, tmp_path: Path) -> None:
    browser = signed_in(product, 1)
    # A session is not enough: the provider asks again, though it has one too.
    asked = browser.follow(browser.get("/sign-in?return_to=/wallet/export&again=true"))
    assert "/idp/sign-in" in str(asked.request.url)
    page = browser.sign_in(asked, product.citizens[1])
    assert str(page.request.url) == f"{product.url}/wallet/export", page.text
    page = browser.submit(page)
    for _ in range(300):
        page = browser.get("/wallet/export")
        if 'id="download"' in page.text:
            break
        time.sleep(0.2)
    (tmp_path / "khizana.zip").write_bytes(browser.get("/wallet/export/file").content)
    (tmp_path / "keys.json").write_bytes(browser.get("/.well-known/jwks.json").content)
    command = ["sh", str(ROOT / "examples" / "verify_export.sh"), "khizana.zip", "keys.json"]
    checked = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    held = browser.get("/wallet").text
    with zipfile.ZipFile(tmp_path / "khizana.zip") as archive:
        documents = {name.split("/")[1] for name in archive.namelist() if name.startswith("documents/")}
    assert documents >= set(re.findall(r"/wallet/documents/([0-9A-Z]{25})", held))
    waiting = browser.submit(browser.get("/wallet/erasure"), sure="on")
    assert 'id="undo"' in waiting.text
    assert 'id="erase"' in browser.submit(waiting).text


def test_the_locker_asks_the_provider_for_names_and_nothing_else(product: Product) -> None:
    browser = signed_in(product, 6, "en")
    wallet = browser.get("/wallet").text
    assert product.citizens[6].name.split()[-1] in wallet
    assert 'href="/account"' in wallet
    account = browser.follow(browser.get("/account"))
    assert (account.status_code, account.request.url.path) == (200, "/idp/account")
    assert "How you sign in" in account.text
    page = browser.get("/idp/account/services?lang=en").text
    of_the_locker = page[page.index("<bdi>Khizana</bdi>") :]
    allowed = of_the_locker[of_the_locker.index("<ul>") : of_the_locker.index("</ul>")]
    assert [unescape(line) for line in re.findall(r"<li>([^<]+)</li>", allowed)] == [
        "Full name",
        "Given name",
        "Family name",
        "Recognise you by a number that you have at this service and nowhere else",
    ]


def test_signing_out_ends_it_everywhere(product: Product) -> None:
    browser = signed_in(product, 5)
    page = browser.get("/wallet")
    kept = dict(browser.cookies)
    csrf = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert csrf
    left = browser.follow(browser.send("POST", "/sign-out", data={"csrf": csrf[1]}))
    if 'id="logout-confirm"' in left.text:
        left = browser.submit(left)
    assert left.status_code == 200
    browser.cookies = kept
    assert browser.get("/wallet").status_code == 303
    assert "/idp/sign-in" in str(browser.follow(browser.get("/sign-in")).request.url)


def test_a_citizen_is_enrolled_at_the_desk_and_activates_the_account(product: Product) -> None:
    enrolment = (
        '{"claims": {"given_name#ar": "سلمى", "family_name#ar": "بناني", "given_name#fr": "Salma",'
        ' "family_name#fr": "Bennani", "birthdate": "1994-02-03", "email": "salma@example.org"}, "locale": "fr"}'
    )
    enrolled = product.khizana("citizen", "enrol", "--file", "-", stdin=enrolment)
    assert enrolled.returncode == 0, enrolled.stderr
    import json

    answer = json.loads(enrolled.stdout)
    browser = product.browser()
    page = browser.submit(
        browser.get("/idp/activate"), username=answer["uid"], activation_code=answer["activation_code"]
    )
    page = browser.submit(page, password="Zellige vert 42 matin")
    assert page.status_code == 200
