"""Twin receipts: opener and citizen hold the same line of the log, and either proves its place there."""

import base64
import hashlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from examples.verify_proof import checkpoint, verify

from kit.jose import PublicKeys, unverified_claims
from kit.jose import verify as verify_jws
from locker.log.merkle import leaf_hash, root_by_inclusion
from locker.log.sequence import Sequencer, sequence
from tests.citizen_browser import CitizenWorld, open_citizen_world
from tests.locker_world import AMINA, LOCKER, plain_pdf

pytestmark = pytest.mark.asyncio(loop_scope="module")
RECEIPT = "khizana-access-receipt+jwt"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(dsns: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CitizenWorld]:
    async with open_citizen_world(dsns, s3, tmp_path_factory.mktemp("locker")) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def document_id(place: CitizenWorld) -> str:
    return await place.document(fields={"family_name": "Alaoui", "birthdate": "1988-04-17"})


async def published(place: CitizenWorld) -> None:
    wiring = place.world.wiring
    await sequence(Sequencer(wiring.db, wiring.log_objects, wiring.log_key))


async def keys(place: CitizenWorld) -> PublicKeys:
    return PublicKeys((await place.world.locker.get("/.well-known/jwks.json")).json())


async def test_opener_and_citizen_prove_the_same_line(place: CitizenWorld, document_id: str) -> None:
    share_id, path = await place.share(document_id, fields={document_id: ["birthdate"]}, purpose="Carte")
    opened = (await place.open(path)).json()
    ours = await keys(place)
    receipt = verify_jws(
        opened["receipt"], ours, algorithms=("ES256",), typ=(RECEIPT,), issuer=LOCKER, require=("jti",)
    )
    assert receipt["for"] == "opener"
    assert receipt["purpose"] == "Carte"
    assert receipt["documents"][0]["fields"] == ["birthdate"]
    assert place.world.subs[AMINA] not in str(receipt)
    bearer = {"Authorization": f"Bearer {opened['viewing_token']}"}
    again = await place.world.locker.get(f"/o/{opened['opening_id']}/receipt", headers=bearer)
    assert unverified_claims(again.text) == receipt

    citizen = await place.signed_in()
    page = await citizen.get(f"/wallet/shares/{share_id}?lang=en")
    there = f"/wallet/shares/{share_id}/openings/{opened['opening_id']}/receipt"
    assert there in page.text
    twin = verify_jws(
        (await citizen.get(there)).text, ours, algorithms=("ES256",), typ=(RECEIPT,), issuer=LOCKER, require=("jti",)
    )
    assert {**twin, "for": "opener"} == receipt

    await published(place)
    shown = await place.world.locker.post("/v1/receipts/proof", json={"receipt": opened["receipt"]})
    assert shown.status_code == 200, shown.text
    proof = shown.json()
    assert proof["audit_id"] == receipt["jti"]
    key = (await place.world.locker.get("/log/key")).text
    head, _, note = proof["proof"].partition("\n\n")
    _version, extra, _index, *siblings = head.split("\n")
    commitment = base64.b64decode(extra.removeprefix("extra "))
    size, root = checkpoint(key, note)
    path_up = [base64.b64decode(each) for each in siblings]
    assert root_by_inclusion(proof["leaf_index"], size, leaf_hash(commitment), path_up) == root
    assert place.world.subs[AMINA] not in shown.text

    # The citizen's own proof opens the very commitment: the locker cannot have shown two lines.
    own = await citizen.get(f"/wallet/history/{twin['jti']}/proof")
    event = verify(key, own.text)
    assert event["audit_id"] == twin["jti"]
    assert event["action"] == "share.opened"
    assert event["index"] == proof["leaf_index"]
    opening = base64.b64decode(own.text.split("extra ")[1].split("\n")[0])
    assert hashlib.sha256(opening).digest() == commitment
    signed = verify_jws(
        proof["signed"], ours, algorithms=("ES256",), typ=("khizana-access-proof+jwt",), issuer=LOCKER, require=("jti",)
    )
    assert base64.b64decode(signed["commitment"]) == commitment


async def test_what_is_no_receipt_of_ours_proves_nothing(place: CitizenWorld, document_id: str) -> None:
    _share_id, path = await place.share(document_id)
    opened = (await place.open(path)).json()
    receipt = opened["receipt"]
    deposit = (await place.world.deposit()).json()["receipt"]
    bearer = {"Authorization": f"Bearer {opened['viewing_token']}"}
    answer = (await place.world.locker.get(f"/o/{opened['opening_id']}/{document_id}/answer", headers=bearer)).text
    forged = place.provider.keys.sign(unverified_claims(receipt), typ=RECEIPT)
    for shown in (receipt[:-4] + "AAAA", deposit, answer, forged, "", "a.b.c"):
        refused = await place.world.locker.post("/v1/receipts/proof", json={"receipt": shown})
        assert (refused.status_code, refused.json()["code"]) == (422, "receipt-refused")


async def test_a_receipt_is_known_where_the_clock_is_behind_the_databases(
    place: CitizenWorld, document_id: str
) -> None:
    _share_id, path = await place.share(document_id)
    receipt = (await place.open(path)).json()["receipt"]
    claims = unverified_claims(receipt)
    ahead = place.world.wiring.signing.sign({**claims, "iat": claims["iat"] + 600}, typ=RECEIPT)
    shown = await place.world.locker.post("/v1/receipts/proof", json={"receipt": ahead})
    # Known, also where its line waits for its place.
    assert shown.status_code in (200, 409), shown.text


async def test_a_twin_is_its_owners_alone_and_outlives_the_share(place: CitizenWorld, document_id: str) -> None:
    share_id, path = await place.share(document_id)
    opened = (await place.open(path)).json()
    there = f"/wallet/shares/{share_id}/openings/{opened['opening_id']}/receipt"
    assert (await (await place.signed_in("2000000002")).get(there)).status_code == 404
    await place.world.locker.delete(f"/v1/shares/{share_id}", headers=place.share_headers())
    assert (await (await place.signed_in()).get(there)).status_code == 200


async def test_both_twins_name_the_own_files_that_were_given_also_when_they_are_gone(place: CitizenWorld) -> None:
    headers = place.world.citizen(scope="documents:upload")
    kept = await place.world.locker.post(
        "/v1/uploads", headers={**headers, "Idempotency-Key": '"receipt"'}, files={"file": ("a.pdf", plain_pdf())}
    )
    upload_id = kept.json()["upload_id"]
    share_id, path = await place.share(uploads=[upload_id])
    opened = (await place.open(path)).json()
    assert unverified_claims(opened["receipt"])["uploads"] == [upload_id]
    assert (await place.world.locker.delete(f"/v1/uploads/{upload_id}", headers=headers)).is_success
    there = f"/wallet/shares/{share_id}/openings/{opened['opening_id']}/receipt"
    twin = await (await place.signed_in()).get(there)
    assert unverified_claims(twin.text)["uploads"] == [upload_id]
