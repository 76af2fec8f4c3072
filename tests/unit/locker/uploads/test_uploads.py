"""A citizen's own files: kept as official documents are, and never taken for one."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from khizana.rounds import sweep_locker
from locker.erasing import store as erasing
from locker.sweeping.reconcile import reconcile
from tests.citizen_browser import CitizenWorld, form_of, open_citizen_world
from tests.locker_world import AMINA, YOUSSEF, plain_pdf
from tests.own_files import jpeg, png

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(dsns: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CitizenWorld]:
    async with open_citizen_world(
        dsns, s3, tmp_path_factory.mktemp("locker"), deposit_intent_grace_s=0, uploads_per_owner_per_hour=1_000
    ) as opened:
        yield opened


def wallet(place: CitizenWorld, uid: str = AMINA, client_id: str = "wallet") -> dict[str, str]:
    return place.world.citizen(uid, scope="documents:upload", client_id=client_id)


async def uploaded(
    place: CitizenWorld, content: bytes | None = None, *, name: str = "facture.pdf", key: str | None = None, **of: Any
) -> httpx.Response:
    return await place.world.locker.post(
        "/v1/uploads",
        headers={**wallet(place, **of), "Idempotency-Key": f'"{key or secrets.token_hex(8)}"'},
        files={"file": (name, plain_pdf() if content is None else content, "application/octet-stream")},
    )


async def kept(place: CitizenWorld, content: bytes | None = None, **how: Any) -> str:
    answer = await uploaded(place, content, **how)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["upload_id"])


async def file(place: CitizenWorld, upload_id: str, uid: str = AMINA) -> httpx.Response:
    return await place.world.locker.get(f"/v1/uploads/{upload_id}/file", headers=wallet(place, uid))


async def ids(place: CitizenWorld, **query: Any) -> list[str]:
    answer = await place.world.locker.get("/v1/uploads", headers=wallet(place), params={"limit": 100, **query})
    return [one["upload_id"] for one in answer.json()["uploads"]]


@pytest.mark.parametrize(
    ("content", "media_type", "extension"),
    [(plain_pdf(), "application/pdf", "pdf"), (jpeg(), "image/jpeg", "jpg"), (png(), "image/png", "png")],
)
async def test_what_was_uploaded_comes_back_byte_for_byte(
    place: CitizenWorld, content: bytes, media_type: str, extension: str
) -> None:
    answer = await uploaded(place, content, name="Ma facture.bin")
    upload = answer.json()
    assert (upload["media_type"], upload["state"], upload["assurance"]) == (media_type, "held", "self-declared")
    assert upload["name"] == "Ma facture.bin"
    got = await file(place, upload["upload_id"])
    assert got.content == content
    assert got.headers["content-type"].startswith(media_type)
    assert got.headers["content-disposition"].startswith("attachment; ")
    assert f".{extension}" in got.headers["content-disposition"]


async def test_an_upload_is_in_no_list_of_official_documents_and_counts_with_none(place: CitizenWorld) -> None:
    upload_id = await kept(place)
    reading = place.world.citizen(AMINA, scope="documents:read documents:share")
    assert upload_id not in (await place.world.locker.get("/v1/documents", headers=reading)).text
    assert (await place.world.locker.get(f"/v1/documents/{upload_id}", headers=reading)).status_code == 404
    assert (await place.world.locker.get(f"/d/ma.gov.interieur-BIRTHEXTRACT-{upload_id}")).status_code == 404
    assert await place.world.rows("SELECT 1 FROM locker.document_uri WHERE document_id = $1", upload_id) == []
    assert await place.world.rows("SELECT 1 FROM locker.holding WHERE owner = $1", place.world.subs[AMINA]) == []


async def test_a_verification_of_the_same_file_finds_no_issuer(place: CitizenWorld) -> None:
    pdf = plain_pdf("mine")
    await kept(place, pdf)
    verified = await place.world.locker.post("/v1/verifications", files={"document": ("d.pdf", pdf, "application/pdf")})
    answer = verified.json()["answer"]
    assert answer["signature"]["indication"] != "TOTAL-PASSED"
    assert answer["document"] is None


async def test_it_needs_a_scope_of_its_own(place: CitizenWorld) -> None:
    upload_id = await kept(place)
    other = place.world.citizen(AMINA, scope="documents:read documents:share")
    for path in ("/v1/uploads", f"/v1/uploads/{upload_id}", f"/v1/uploads/{upload_id}/file"):
        assert (await place.world.locker.get(path, headers=other)).status_code == 403
    assert (await place.world.locker.get("/v1/uploads", headers=place.world.machine())).status_code in (401, 403)


async def test_another_citizens_upload_is_unknown(place: CitizenWorld) -> None:
    upload_id = await kept(place)
    for method, path in (
        ("GET", f"/v1/uploads/{upload_id}"),
        ("GET", f"/v1/uploads/{upload_id}/file"),
        ("DELETE", f"/v1/uploads/{upload_id}"),
        ("DELETE", f"/v1/uploads/{upload_id}?for_good=true"),
        ("POST", f"/v1/uploads/{upload_id}/restore"),
    ):
        answer = await place.world.locker.request(method, path, headers=wallet(place, YOUSSEF))
        assert (answer.status_code, answer.json()["code"]) == (404, "upload-unknown"), path
    assert (await file(place, upload_id)).status_code == 200


async def test_a_repeated_key_is_one_upload(place: CitizenWorld) -> None:
    before = len(await ids(place))
    answers = await asyncio.gather(*(uploaded(place, key="again") for _ in range(4)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["upload_id"] for answer in answers}) == 1
    other = await uploaded(place, plain_pdf("other"), key="again")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")
    assert len(await ids(place)) == before + 1
    # The key is that citizen's and that app's.
    assert (await uploaded(place, key="again", uid=YOUSSEF)).json()["upload_id"] != answers[0].json()["upload_id"]


async def test_what_lost_a_race_is_swept_and_what_won_stays(place: CitizenWorld) -> None:
    answers = await asyncio.gather(*(uploaded(place, jpeg(), key="race") for _ in range(3)))
    wiring = place.world.wiring
    await sweep_locker(wiring.db, wiring.vault, wiring.settings)
    compared = await reconcile(wiring.db, wiring.audit, wiring.vault, grace_s=-60, remove_unknown=True)
    assert compared.missing == []
    assert (await file(place, answers[0].json()["upload_id"])).content == jpeg()
    assert await place.world.rows("SELECT 1 FROM locker.deposit_intent") == []


async def test_deleted_restored_and_deleted_for_good(place: CitizenWorld) -> None:
    upload_id = await kept(place)
    path = f"/v1/uploads/{upload_id}"
    locker, mine = place.world.locker, wallet(place)
    for _ in range(2):
        assert (await locker.delete(path, headers=mine)).status_code == 204
    assert upload_id not in await ids(place)
    assert upload_id in await ids(place, bin=True)
    binned = (await locker.get(path, headers=mine)).json()
    assert binned["state"] == "binned"
    assert binned["gone_after"] is not None
    refused = await file(place, upload_id)
    assert (refused.status_code, refused.json()["code"]) == (409, "in-bin")
    for _ in range(2):
        assert (await locker.post(f"{path}/restore", headers=mine)).json()["state"] == "held"
    assert (await file(place, upload_id)).status_code == 200
    assert (await locker.delete(f"{path}?for_good=true", headers=mine)).status_code == 404
    await locker.delete(path, headers=mine)
    assert (await locker.delete(f"{path}?for_good=true", headers=mine)).status_code == 204
    assert (await locker.post(f"{path}/restore", headers=mine)).status_code == 404
    assert (await locker.get(path, headers=mine)).status_code == 404


async def test_the_key_is_destroyed_first_and_the_object_swept_later(place: CitizenWorld) -> None:
    upload_id = await kept(place)
    [row] = await place.world.rows("SELECT object_key FROM locker.upload WHERE upload_id = $1", upload_id)
    path = f"/v1/uploads/{upload_id}"
    await place.world.locker.delete(path, headers=wallet(place))
    await place.world.locker.delete(f"{path}?for_good=true", headers=wallet(place))
    [gone] = await place.world.rows(
        "SELECT wrapped_key, name_sealed, sha256, request_sha256 FROM locker.upload WHERE upload_id = $1", upload_id
    )
    assert (gone["wrapped_key"], gone["name_sealed"]) == (None, None)
    # Nor a way to ask whether it was this very file.
    assert (gone["sha256"], gone["request_sha256"]) == (b"", b"")
    assert row["object_key"] in await place.world.objects()
    wiring = place.world.wiring
    await sweep_locker(wiring.db, wiring.vault, wiring.settings)
    assert row["object_key"] not in await place.world.objects()


async def test_the_sweeper_empties_the_bin_when_its_days_are_over(place: CitizenWorld) -> None:
    old, young = await kept(place), await kept(place)
    for one in (old, young):
        await place.world.locker.delete(f"/v1/uploads/{one}", headers=wallet(place))
    await place.world.rows("UPDATE locker.upload SET purge_at = now() WHERE upload_id = $1", old)
    late = await place.world.locker.post(f"/v1/uploads/{old}/restore", headers=wallet(place))
    assert late.status_code == 404
    before = (await place.world.locker.get("/v1/uploads", headers=wallet(place))).json()["quota"]
    wiring = place.world.wiring
    await asyncio.gather(*(sweep_locker(wiring.db, wiring.vault, wiring.settings) for _ in range(3)))
    after = (await place.world.locker.get("/v1/uploads", headers=wallet(place))).json()["quota"]
    assert after["uploads"] == before["uploads"] - 1
    assert after["bytes"] == before["bytes"] - len(plain_pdf())
    binned = await ids(place, bin=True)
    assert old not in binned
    assert young in binned


async def test_nothing_readable_of_a_name_or_a_file_stands_in_a_table(place: CitizenWorld) -> None:
    await kept(place, name="secret-canary-77.pdf")
    [row] = await place.world.rows("SELECT string_agg(u::text, ' ') AS all FROM locker.upload u")
    assert "canary" not in row["all"]
    assert b"canary".hex() not in row["all"]


async def test_the_list_goes_on_from_a_cursor_of_its_own(place: CitizenWorld) -> None:
    for _ in range(3):
        await kept(place)
    locker, seen, after = place.world.locker, [], None
    while True:
        query = {"limit": 2, **({"after": after} if after else {})}
        answer = (await locker.get("/v1/uploads", headers=wallet(place), params=query)).json()
        seen += [one["upload_id"] for one in answer["uploads"]]
        after = answer["next"]
        if after is None:
            break
    assert seen == await ids(place)
    assert len(set(seen)) == len(seen)
    first = (await locker.get("/v1/uploads", headers=wallet(place), params={"limit": 1})).json()["next"]
    stranger = await locker.get("/v1/uploads", headers=wallet(place, YOUSSEF), params={"after": first})
    assert (stranger.status_code, stranger.json()["code"]) == (400, "invalid-cursor")


async def test_the_pages_without_a_script(place: CitizenWorld) -> None:
    citizen = await place.signed_in(YOUSSEF)
    empty = await citizen.get("/wallet/uploads?lang=ar")
    assert empty.status_code == 200
    action, hidden = form_of(empty)
    assert action == "/wallet/uploads"
    sent = await citizen.post(action, hidden, files={"file": ("صورة.jpg", jpeg(), "image/jpeg")})
    assert sent.status_code == 303, sent.text
    again = await citizen.post(action, hidden, files={"file": ("صورة.jpg", jpeg(), "image/jpeg")})
    assert again.headers["location"] == sent.headers["location"]
    where = sent.headers["location"]
    shown = await citizen.get(f"{where}?lang=ar")
    assert "صورة" in shown.text
    assert "tone-good" not in shown.text
    assert "مصرَّح به من صاحبه" in shown.text
    assert (await citizen.get(f"{where}/picture.png")).content.startswith(b"\x89PNG")
    assert (await citizen.get(f"{where}/file")).content == jpeg()
    binned = await citizen.submit(shown)
    assert binned.status_code == 303
    assert where not in (await citizen.get("/wallet/uploads")).text
    assert where in (await citizen.get("/wallet/uploads/bin")).text
    in_bin = await citizen.get(where)
    restored = await citizen.post(f"{where}/restore", form_of(in_bin)[1])
    assert restored.status_code == 303
    assert where in (await citizen.get("/wallet/uploads")).text
    history = await citizen.get("/wallet/history?lang=fr")
    assert "A mis un de vos fichiers à la corbeille" in history.text


async def test_the_form_says_what_is_wrong_with_a_file(place: CitizenWorld) -> None:
    citizen = await place.signed_in()
    form = await citizen.get("/wallet/uploads")
    action, hidden = form_of(form)
    for content, status, said in (
        (b"GIF89a", 422, "Ce n’est pas un fichier PDF, JPEG ou PNG."),
        (b"x" * 10_100_000, 413, "Ce fichier est trop grand."),
    ):
        refused = await citizen.post(action, hidden, files={"file": ("a.pdf", content, "application/pdf")})
        assert refused.status_code == status
        assert said in refused.text
    nothing = await citizen.post(action, hidden, files={"file": ("", b"", "application/octet-stream")})
    assert nothing.status_code == 400
    assert "Choisissez un fichier." in nothing.text


@pytest.mark.parametrize("changed", [{"csrf": "x"}, {"csrf": ""}])
async def test_a_form_of_another_site_uploads_nothing(place: CitizenWorld, changed: dict[str, str]) -> None:
    citizen = await place.signed_in()
    action, hidden = form_of(await citizen.get("/wallet/uploads"))
    before = await ids(place)
    sent = await citizen.post(action, {**hidden, **changed}, files={"file": ("a.pdf", plain_pdf(), "application/pdf")})
    assert sent.status_code == 403
    cross = await citizen.post(
        action,
        hidden,
        files={"file": ("a.pdf", plain_pdf(), "application/pdf")},
        headers={"Sec-Fetch-Site": "cross-site"},
    )
    assert cross.status_code == 403
    assert await ids(place) == before


async def test_an_erased_citizens_files_are_noise_and_then_gone(place: CitizenWorld) -> None:
    world, uid = place.world, "2000000077"
    world.subs[uid] = world.provider.enrol(uid)
    upload_id = await kept(place, uid=uid)
    wiring, owner = world.wiring, world.subs[uid]
    [row] = await world.rows("SELECT object_key FROM locker.upload WHERE upload_id = $1", upload_id)
    await wiring.db.transact(lambda tx: wiring.vault.destroy_owner_key(tx, owner=owner))
    assert (await file(place, upload_id, uid)).status_code == 410
    await wiring.db.transact(lambda tx: erasing.erase_rows(tx, owner=owner))
    assert await world.rows("SELECT 1 FROM locker.upload WHERE owner = $1", owner) == []
    assert await world.rows("SELECT 1 FROM locker.upload_holding WHERE owner = $1", owner) == []
    await sweep_locker(wiring.db, wiring.vault, wiring.settings)
    assert row["object_key"] not in await world.objects()
