"""A citizen's own file in a share: a copy without metadata, called what it is, and gone when it went to the bin."""

import io
import secrets
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from PIL import Image

from locker.uploads.link_routes import _PICTURES
from tests.citizen_browser import CitizenWorld, open_citizen_world
from tests.locker_world import AMINA, LOCKER, YOUSSEF, plain_pdf
from tests.own_files import CANARY, jpeg
from tests.windows import in_one_window

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(dsns: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CitizenWorld]:
    async with open_citizen_world(dsns, s3, tmp_path_factory.mktemp("locker")) as opened:
        yield opened


async def kept(place: CitizenWorld, content: bytes, *, name: str = f"{CANARY}.jpg", uid: str = AMINA) -> str:
    answer = await place.world.locker.post(
        "/v1/uploads",
        headers={
            **place.world.citizen(uid, scope="documents:upload"),
            "Idempotency-Key": f'"{secrets.token_hex(8)}"',
        },
        files={"file": (name, content)},
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["upload_id"])


async def opened(place: CitizenWorld, upload_id: str, **limits: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """What a program gets, and its authorization to look at it."""
    _share_id, path = await place.share(uploads=[upload_id], **limits)
    answer = await place.open(path, headers={"Accept": "application/json"})
    assert answer.status_code == 200, answer.text
    return answer.json(), {"Authorization": f"Bearer {answer.json()['viewing_token']}"}


async def get(place: CitizenWorld, url: str, viewing: dict[str, str]) -> httpx.Response:
    return await place.world.locker.get(url.removeprefix(LOCKER), headers=viewing)


async def test_p_15_what_an_opener_gets_of_a_photo_tells_nothing_of_its_camera(place: CitizenWorld) -> None:
    upload_id = await kept(place, jpeg(6))
    message, viewing = await opened(place, upload_id, view_only=False)
    [shared] = message["uploads"]
    assert (shared["assurance"], message["documents"]) == ("self-declared", [])
    got = await get(place, shared["file"], viewing)
    assert got.status_code == 200, got.text
    for answer in (got.content, repr(dict(got.headers)).encode(), repr(message).encode()):
        assert CANARY.encode() not in answer
    with Image.open(io.BytesIO(got.content)) as image:
        assert (image.format, image.size, len(image.getexif())) == ("JPEG", (40, 60), 0)
    assert got.headers["content-disposition"].startswith("attachment; ")
    assert "sandbox" in got.headers["content-security-policy"]
    picture = await get(place, shared["pictures"][0], viewing)
    assert picture.content.startswith(b"\x89PNG")
    assert CANARY.encode() not in picture.content
    # Its owner's own copy is as it was.
    mine = await place.world.locker.get(
        f"/v1/uploads/{upload_id}/file", headers=place.world.citizen(AMINA, scope="documents:upload")
    )
    assert mine.content == jpeg(6)


async def test_to_be_looked_at_only_gives_watermarked_pictures_and_no_copy(place: CitizenWorld) -> None:
    upload_id = await kept(place, plain_pdf("mine", pages=2), name="a.pdf")
    message, viewing = await opened(place, upload_id)
    [shared] = message["uploads"]
    assert (shared["file"], len(shared["pictures"])) == (None, 2)
    marked = await get(place, shared["pictures"][1], viewing)
    assert marked.status_code == 200
    refused = await get(place, f"{LOCKER}/o/{message['opening_id']}/uploads/{upload_id}/file", viewing)
    assert (refused.status_code, refused.json()["code"]) == (403, "view-only")
    for name in ("3.png", "0.png", "31.png"):
        beyond = await get(place, shared["pictures"][0].replace("1.png", name), viewing)
        assert beyond.status_code == 404
    rows = await place.world.rows(
        "SELECT result FROM locker.audit WHERE action = 'share.downloaded' AND detail ->> 'opening' = $1",
        message["opening_id"],
    )
    assert [row["result"] for row in rows] == ["view-only"]


async def test_k_12_another_file_of_the_same_citizen_is_not_reached(place: CitizenWorld) -> None:
    message, viewing = await opened(place, await kept(place, jpeg()), view_only=False)
    other = await kept(place, jpeg(2))
    for what in ("file", "pages/1.png"):
        for upload_id in (other, "%00", "%ED%A0%80", "x" * 300):
            answer = await get(place, f"{LOCKER}/o/{message['opening_id']}/uploads/{upload_id}/{what}", viewing)
            assert (answer.status_code, answer.json()["code"]) == (404, "share-closed")
        without = await get(place, f"{LOCKER}/o/{message['opening_id']}/uploads/{other}/{what}", {})
        assert without.status_code == 404


async def test_one_opening_does_not_keep_the_workers_busy(place: CitizenWorld) -> None:
    upload_id = await kept(place, jpeg())

    async def pictures(_: int) -> tuple[int, int]:
        message, viewing = await opened(place, upload_id)
        await place.world.wiring.throttle.count(place.world.wiring.db, _PICTURES, message["opening_id"])
        bucket = f"{_PICTURES.name}:{message['opening_id']}"
        await place.world.rows("UPDATE locker.throttle SET attempts = $2 WHERE bucket = $1", bucket, _PICTURES.attempts)
        other, own = await opened(place, upload_id)
        answers = [
            await get(place, said["uploads"][0]["pictures"][0], by) for said, by in ((message, viewing), (other, own))
        ]
        return answers[0].status_code, answers[1].status_code

    assert await in_one_window(_PICTURES.per_s, pictures) == (429, 200)


async def test_k_17_nobody_shares_anothers_file_or_one_that_is_in_the_bin(place: CitizenWorld) -> None:
    theirs, binned = await kept(place, jpeg(), uid=YOUSSEF), await kept(place, jpeg())
    await place.world.locker.delete(
        f"/v1/uploads/{binned}", headers=place.world.citizen(AMINA, scope="documents:upload")
    )
    for uploads, status in (([theirs], 404), ([binned], 404), ([], 422)):
        answer = await place.world.locker.post(
            "/v1/shares",
            headers=place.share_headers(),
            json={"uploads": uploads, "recipient": "B", "purpose": "C"},
        )
        assert answer.status_code == status, answer.text


async def test_what_went_to_the_bin_is_out_of_every_living_link_at_once(place: CitizenWorld) -> None:
    upload_id = await kept(place, jpeg())
    message, viewing = await opened(place, upload_id, view_only=False)
    path = f"/v1/uploads/{upload_id}"
    mine = place.world.citizen(AMINA, scope="documents:upload")
    await place.world.locker.delete(path, headers=mine)
    assert (await get(place, message["uploads"][0]["file"], viewing)).status_code == 404
    again = await get(place, f"/o/{message['opening_id']}", {**viewing, "Accept": "application/json"})
    assert again.json()["uploads"] == []
    await place.world.locker.post(f"{path}/restore", headers=mine)
    assert (await get(place, message["uploads"][0]["file"], viewing)).status_code == 200


async def test_through_the_pages_beside_a_document(place: CitizenWorld) -> None:
    document_id, upload_id = await place.document(), await kept(place, jpeg(), name="Ma photo.jpg")
    citizen = await place.signed_in()
    form = await citizen.get(f"/wallet/shares/new?upload={upload_id}")
    assert "Ma photo" in form.text
    chosen = await citizen.submit(form, document=[document_id], upload=[upload_id])
    assert chosen.status_code == 303, chosen.text
    said = await citizen.submit(await citizen.get(chosen.headers["location"]), recipient="Banque X", purpose="Compte")
    limited = await citizen.submit(await citizen.get(said.headers["location"]), days="7", openings="3")
    check = await citizen.get(limited.headers["location"])
    assert "Ma photo" in check.text
    made = await citizen.submit(check)
    share = await citizen.get(made.headers["location"])
    link = share.text.split('value="' + LOCKER + "/s/")[1].split('"')[0]
    for page in (share, await citizen.get("/wallet/shares")):
        assert "Auto-déclaré" in page.text
    stranger = place.browser("198.51.100.7")
    gone_on = await stranger.submit(await stranger.get(f"/s/{link}"))
    for tag, words in (
        ("fr", "Auto-déclaré"),
        ("ar", "مصرَّح به من صاحبه"),
        ("zgh", "ⵉⵏⵏⴰ ⵜ ⴱⴰⴱ ⵏⵏⵙ"),
        ("en", "Self-declared"),
    ):
        result = await stranger.get(f"{gone_on.headers['location']}?lang={tag}")
        own = result.text.split('id="upload-1"')[1]
        assert words in own
        assert "tone-good" not in own
        assert "Ma photo" not in own
    [event] = await place.world.rows(
        "SELECT detail FROM locker.audit WHERE action = 'share.opened' ORDER BY at DESC LIMIT 1"
    )
    assert event["detail"]["uploads"] == [upload_id]


async def test_an_upload_alone_goes_through_the_pages(place: CitizenWorld) -> None:
    upload_id = await kept(place, jpeg(), name="seule.jpg", uid=YOUSSEF)
    citizen = await place.signed_in(YOUSSEF)
    chosen = await citizen.submit(await citizen.get(f"/wallet/shares/new?upload={upload_id}"), upload=[upload_id])
    assert chosen.status_code == 303, chosen.text
    said = await citizen.submit(await citizen.get(chosen.headers["location"]), recipient="X", purpose="Y")
    limited = await citizen.submit(await citizen.get(said.headers["location"]), days="7", openings="3")
    made = await citizen.submit(await citizen.get(limited.headers["location"]))
    assert made.status_code == 303, made.text
    assert (await citizen.get(made.headers["location"])).status_code == 200
