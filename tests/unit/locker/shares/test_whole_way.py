"""From the sign-in to a stranger's verification, as a browser walks it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.citizen_browser import CitizenWorld, form_of, open_citizen_world
from tests.locker_world import LOCKER
from tests.unit.locker.deposits.signed_parts import signed, stamped_by

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(dsns: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CitizenWorld]:
    async with open_citizen_world(dsns, s3, tmp_path_factory.mktemp("locker")) as opened:
        yield opened


async def test_a_citizen_shares_and_a_stranger_verifies(place: CitizenWorld) -> None:
    citizen = await place.signed_in()
    empty = await citizen.get("/wallet")
    assert empty.status_code == 200
    assert "Amina Alaoui" in empty.text

    pdf = place.world.sealed()
    deposited = await place.world.deposit(pdf)
    assert deposited.status_code == 201, deposited.text
    document_id = deposited.json()["document_id"]

    wallet = await citizen.get("/wallet")
    assert document_id in wallet.text
    document = await citizen.get(f"/wallet/documents/{document_id}")
    assert document.status_code == 200, document.text
    assert "Alaoui" in document.text
    picture = await citizen.get(f"/wallet/documents/{document_id}/pages/1.png")
    assert picture.status_code == 200
    assert picture.content.startswith(b"\x89PNG")
    original = await citizen.get(f"/wallet/documents/{document_id}/original")
    assert original.content == pdf

    chosen = await citizen.submit(await citizen.get("/wallet/shares/new"), document=[document_id])
    assert chosen.status_code == 303, chosen.text
    recipient = await citizen.get(chosen.headers["location"])
    said = await citizen.submit(recipient, recipient="Banque X", purpose="Ouvrir un compte")
    assert said.status_code == 303, said.text
    limits = await citizen.get(said.headers["location"])
    limited = await citizen.submit(limits, days="7", openings="3")
    assert limited.status_code == 303, limited.text
    check = await citizen.get(limited.headers["location"])
    assert check.status_code == 200, check.text
    assert "Banque X" in check.text
    made = await citizen.submit(check)
    assert made.status_code == 303, made.text
    share = await citizen.get(made.headers["location"])
    assert share.status_code == 200, share.text
    link = share.text.split('value="' + LOCKER + "/s/")[1].split('"')[0]
    code = await citizen.get(f"{made.headers['location']}/qr.svg")
    assert code.headers["content-type"].startswith("image/svg+xml")

    stranger = place.browser("198.51.100.7")
    landing = await stranger.get(f"/s/{link}")
    assert landing.status_code == 200, landing.text
    assert form_of(landing)[0] == f"/s/{link}"
    opened = await stranger.submit(landing)
    assert opened.status_code == 303, opened.text
    result = await stranger.get(opened.headers["location"])
    assert result.status_code == 200, result.text
    assert "tone-good" in result.text
    where = opened.headers["location"]
    seen = await stranger.get(f"{where}/{document_id}/pages/1.png")
    assert seen.content.startswith(b"\x89PNG")
    taken = await stranger.get(f"{where}/{document_id}/original")
    assert taken.status_code == 200, taken.text
    assert taken.content == pdf
    assert (await stranger.get(f"{where}/{document_id}/answer")).status_code == 200
    assert (await stranger.get(f"{where}/{document_id}/report")).status_code == 200
    certificate = await stranger.get(f"{where}/{document_id}/certificate")
    assert certificate.content.startswith(b"%PDF-"), certificate.text

    verified = await stranger.post("/verify", files={"document": ("d.pdf", pdf, "application/pdf")})
    assert verified.status_code == 200, verified.text
    assert 'class="verdict tone-good"' in verified.text
    hidden = form_of(verified)[1]
    kept = await stranger.post("/verify/answer", {"jws": hidden["jws"]})
    assert kept.text == hidden["jws"]
    report = await stranger.post("/verify/answer", hidden)
    assert report.status_code == 200, report.text

    history = await citizen.get("/wallet/history")
    assert history.status_code == 200, history.text
    assert "Banque X" in history.text
    assert (await citizen.get("/wallet/history/export.csv")).text.count("\n") > 5
    for path in ("/", "/verify", "/wallet/shares", f"/d/{deposited.json()['uri']}", "/wallet/shares/new"):
        for tag in ("ar", "fr", "zgh", "en"):
            shown = await citizen.get(f"{path}?lang={tag}")
            assert shown.status_code == 200, shown.text
    out = await citizen.submit_sign_out()
    assert out.status_code == 303
    assert (await citizen.get("/wallet")).status_code == 303


async def test_the_page_gives_signed_data_to_its_owner(place: CitizenWorld) -> None:
    citizen = await place.signed_in()
    with stamped_by(place.world):
        parts = signed(place.world, "jades")
    deposited = await place.world.deposit(**parts)
    address = f"/wallet/documents/{deposited.json()['document_id']}"
    page = await citizen.get(address)
    assert f'href="{address}/data"' in page.text
    assert f'href="{address}/data/signature"' in page.text
    assert (await citizen.get(f"{address}/data")).content == parts["data"]
    assert (await citizen.get(f"{address}/data/signature")).content == parts["data_signature"]
    plain = (await place.world.deposit()).json()["document_id"]
    assert "/data" not in (await citizen.get(f"/wallet/documents/{plain}")).text
    assert (await citizen.get(f"/wallet/documents/{plain}/data")).status_code == 404
