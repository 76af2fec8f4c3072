"""Rows O of the catalogue about the locker's own keys: what is filed goes on to verify, what a thief signs is not
believed."""

import asyncio
import json
import subprocess
import sys
import time
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from jose import jws

from kit.audit import AuditEvent
from kit.ids import new_id
from kit.jose import PublicKeys, SigningKey, TokenRefused, header_of, unverified_claims, verify
from locker.log.sequence import Sequencer, sequence
from locker.printed.cose import message_of, sign1, text_of, verified1
from locker.signing import rotate
from tests.citizen_browser import CitizenWorld, form_of, open_citizen_world
from tests.conftest import ROOT
from tests.locker_world import AMINA, INTERIOR, LOCKER

pytestmark = pytest.mark.asyncio(loop_scope="module")

PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}
RECEIPT = "khizana-access-receipt+jwt"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(dsns: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CitizenWorld]:
    async with open_citizen_world(dsns, s3, tmp_path_factory.mktemp("locker")) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def document_id(place: CitizenWorld) -> str:
    return await place.document(fields={"family_name": "Alaoui", "birthdate": "1988-04-17"})


async def key_set(place: CitizenWorld, name: str = "jwks") -> dict[str, Any]:
    found: dict[str, Any] = (await place.world.locker.get(f"/.well-known/{name}.json")).json()
    return found


async def rotated(place: CitizenWorld) -> SigningKey:
    """As after a theft, so that nobody waits for tomorrow. The key of before, as a thief has it."""
    signing = place.world.wiring.signing
    before = signing.signer
    rotate.replace(place.world.wiring.settings.keys_folder)
    # Two thefts in a second have the second key begin in the next one.
    while signing.signer is before:
        await signing.reread()
    return before


async def withdrawn(place: CitizenWorld, key: SigningKey, *, since: float) -> None:
    rotate.withdraw(place.world.wiring.settings.keys_folder, key.kid, since=int(since))
    await place.world.wiring.signing.reread()


async def until(moment: float) -> None:
    """The clock is what is waited for."""
    while time.time() < moment:
        await asyncio.sleep(moment - time.time() + 0.01)


async def proof(place: CitizenWorld, receipt: str) -> tuple[int, dict[str, Any]]:
    wiring = place.world.wiring
    sequencer = Sequencer(wiring.db, wiring.log_objects, wiring.log_key)
    await sequence(sequencer)
    await sequencer.close()
    answer = await place.world.locker.post("/v1/receipts/proof", json={"receipt": receipt})
    return answer.status_code, answer.json()


def by_others(token: str, keys: dict[str, Any]) -> str:
    """The kid, verified by another library with what is published."""
    kid = str(header_of(token)["kid"])
    [key] = [member for member in keys["keys"] if member["kid"] == kid]
    jws.verify(token, key, algorithms=["ES256"])
    return kid


async def everything_signed(place: CitizenWorld, document_id: str) -> dict[str, str]:
    """One of each kind that somebody files."""
    world = place.world
    deposited = await world.deposit()
    share_id, path = await place.share(document_id, fields={document_id: ["birthdate"]})
    opened = (await place.open(path)).json()
    bearer = {"Authorization": f"Bearer {opened['viewing_token']}"}
    citizen = await place.signed_in()
    twin = await citizen.get(f"/wallet/shares/{share_id}/openings/{opened['opening_id']}/receipt")
    verified = await world.locker.post(
        "/v1/verifications", content=world.sealed(text="one"), headers={"Content-Type": "application/pdf"}
    )
    answer = await world.locker.get(f"/o/{opened['opening_id']}/{document_id}/answer", headers=bearer)
    history = await citizen.get("/wallet/history/export.jsonl")
    again = await world.locker.get(f"/v1/deposits/{deposited.json()['document_id']}", headers=world.machine(INTERIOR))
    _status, proven = await proof(place, opened["receipt"])
    return {
        "deposit": deposited.json()["receipt"],
        "deposit, asked for again": again.json()["receipt"],
        "opener": opened["receipt"],
        "citizen": twin.text,
        "credential": opened["documents"][0]["credential"].split("~")[0],
        "verification": verified.json()["signed_answer"],
        "answer": answer.text,
        "history": json.loads(history.text.strip().split("\n")[-1])["signature"],
        "proof": proven["signed"],
    }


async def printed_text(place: CitizenWorld, document_id: str) -> str:
    made = await place.world.locker.post(
        f"/v1/documents/{document_id}/printed", json={}, headers=place.world.citizen(AMINA, scope="documents:share")
    )
    return str(made.json()["address"]).partition("#")[2]


async def test_o_52_the_lockers_jwks_has_no_private_members_and_one_algorithm_a_key(place: CitizenWorld) -> None:
    await withdrawn(place, await rotated(place), since=time.time())
    await rotated(place)
    for name, many in (("jwks", 2), ("historical-keys", 3)):
        members = (await key_set(place, name))["keys"]
        assert len(members) == many
        for member in members:
            assert not PRIVATE & member.keys()
            assert (member["alg"], member["use"]) == ("ES256", "sig")


async def test_o_52_after_a_rotation_all_that_the_locker_signed_verifies_and_new_ones_bear_the_new_key(
    place: CitizenWorld, document_id: str
) -> None:
    before, code = await everything_signed(place, document_id), await printed_text(place, document_id)
    old = await rotated(place)
    after = await everything_signed(place, document_id)
    keys, new = await key_set(place), place.world.wiring.signing.signer.kid
    assert new != old.kid
    for what in before:
        assert by_others(before[what], keys) == old.kid, what
        assert by_others(after[what], keys) == new, what
    for receipt in (before["opener"], before["citizen"], after["opener"]):
        status, proven = await proof(place, receipt)
        assert status == 200, proven
        assert (proven["distrusted_from"], proven["receipt"]) == (None, None)
    for text in (code, await printed_text(place, document_id)):
        checked = await place.world.locker.post("/v1/printed/checks", json={"text": text})
        assert checked.json()["authentic"] is True
        trusted = (await place.world.locker.get("/v1/printed/keys")).json()["keys"]
        assert verified1(message_of(text), place.world.wiring.signing.trusted())
        assert {old.kid, new} <= {member["kid"] for member in trusted}


async def test_o_52_a_receipt_from_before_a_theft_is_told_apart_and_signed_again(
    place: CitizenWorld, document_id: str
) -> None:
    """The log has the access from before, and the receipt says what we recorded: word for word."""
    share_id, path = await place.share(document_id, fields={document_id: ["birthdate"]}, purpose="Carte")
    opened = (await place.open(path)).json()
    there = f"/wallet/shares/{share_id}/openings/{opened['opening_id']}/receipt"
    twin = (await (await place.signed_in()).get(there)).text
    since = int(unverified_claims(twin)["iat"]) + 1
    stolen = await rotated(place)
    await withdrawn(place, stolen, since=since)
    keys = await key_set(place)
    for receipt in (opened["receipt"], twin):
        with pytest.raises(ValueError, match="unpack"):
            by_others(receipt, keys)
        status, proven = await proof(place, receipt)
        assert status == 200, proven
        assert proven["distrusted_from"] == since
        assert by_others(proven["receipt"], keys) == place.world.wiring.signing.signer.kid
        assert unverified_claims(proven["receipt"]) == unverified_claims(receipt)
        assert (await proof(place, proven["receipt"]))[1]["distrusted_from"] is None
    # The citizen has it again from us in any case.
    assert by_others((await (await place.signed_in()).get(there)).text, keys)
    revoked = [
        each["revoked"] for each in (await key_set(place, "historical-keys"))["keys"] if each["kid"] == stolen.kid
    ]
    assert revoked == [{"revoked_at": since, "reason": "compromised"}]


async def test_o_52_an_answer_under_a_stolen_key_is_not_handed_out_as_ours(place: CitizenWorld) -> None:
    """No log has answers: nothing says whether one was signed before the theft."""
    browser, pdf = place.browser(), place.world.sealed(text="answered")
    _action, form = form_of(await browser.post("/verify", files={"document": ("d.pdf", pdf, "application/pdf")}))
    assert (await browser.post("/verify/answer", form)).status_code == 200
    await withdrawn(place, await rotated(place), since=time.time())
    for accept in ("application/json", "text/html"):
        refused = await browser.post("/verify/answer", form, headers={"Accept": accept})
        assert (refused.status_code, "answer-key-distrusted" in refused.text) == (400, True)
        assert form["jws"] not in refused.text


async def test_o_52_what_a_thief_signs_with_a_stolen_key_is_not_believed_whatever_its_date(
    place: CitizenWorld, document_id: str
) -> None:
    _share_id, path = await place.share(document_id, fields={document_id: ["birthdate"]})
    real = unverified_claims((await place.open(path)).json()["receipt"])
    since = int(real["iat"]) + 1
    await until(since)
    _share_id, path = await place.share(document_id)
    late = unverified_claims((await place.open(path)).json()["receipt"])
    thief = await rotated(place)
    await withdrawn(place, thief, since=since)
    changed = [
        {"documents": [{**real["documents"][0], "fields": ["birthdate", "family_name"]}]},
        {"purpose": "Loan"},
        {"recipient": "Somebody else"},
        {"view_only": not real["view_only"]},
        {"iat": real["iat"] - 86_400},
        {"for": "anybody"},
        {"for": None},
        {"more": True},
        {"opening": "nothing"},
        {"jti": str(new_id())},
        {"jti": late["jti"]},
    ]
    missing = [{name: value for name, value in real.items() if name != left_out} for left_out in ("for", "purpose")]
    for claims in [*({**real, **each} for each in changed), *missing]:
        status, said = await proof(place, thief.sign(claims, typ=RECEIPT))
        assert (status, said["code"]) == (422, "receipt-key-distrusted"), claims
    # True, and from after the theft: whoever took the key may have come in with it. Also with an older date.
    for claims in (late, {**late, "iat": real["iat"]}):
        status, said = await proof(place, thief.sign(claims, typ=RECEIPT))
        assert (status, said["code"]) == (422, "receipt-key-distrusted"), claims
    assert (await proof(place, thief.sign(real, typ=RECEIPT)))[0] == 200
    # Of a key that was never ours: no receipt at all.
    status, said = await proof(place, SigningKey.generate("ES256").sign(real, typ=RECEIPT))
    assert (status, said["code"]) == (422, "receipt-refused")


async def test_o_52_a_row_that_the_app_dates_back_is_no_proof_for_a_stolen_key(
    place: CitizenWorld, document_id: str
) -> None:
    """With the key and the app's own rights in the database: the log's time is the database's."""
    share_id, path = await place.share(document_id)
    real = unverified_claims((await place.open(path)).json()["receipt"])
    wiring, owner, line = place.world.wiring, place.world.subs[AMINA], new_id()
    thief = await rotated(place)
    await withdrawn(place, thief, since=time.time())
    await wiring.audit.append(
        wiring.db, AuditEvent(action="share.opened", actor_kind="anonymous", owner=owner), audit_id=line
    )
    await wiring.db.execute(
        """
        INSERT INTO locker.opening (owner, opening_id, share_id, opened_at, viewing_sha256, view_until, audit_id,
                                    documents)
        SELECT owner, 'invented', share_id, opened_at - interval '2 days', viewing_sha256, view_until, $2, documents
          FROM locker.opening WHERE owner = $1 AND share_id = $3""",
        owner,
        line,
        share_id,
    )
    forged = {**real, "opening": "invented", "jti": str(line), "iat": real["iat"] - 2 * 86_400}
    status, said = await proof(place, thief.sign(forged, typ=RECEIPT))
    assert (status, said["code"]) == (422, "receipt-key-distrusted")
    # The same lie under a key that is believed: what a stolen key was worth before it was known as one.
    assert (await proof(place, wiring.signing.sign(forged, typ=RECEIPT)))[0] == 200


async def test_o_52_answers_and_printed_copies_of_a_stolen_key_are_no_more_of_ours(
    place: CitizenWorld, document_id: str, tmp_path: Path
) -> None:
    browser, pdf = place.browser(), place.world.sealed(text="stolen")
    _action, hidden = form_of(await browser.post("/verify", files={"document": ("d.pdf", pdf, "application/pdf")}))
    assert (await browser.post("/verify/answer", hidden)).status_code == 200
    text = await printed_text(place, document_id)
    example = str(ROOT / "examples" / "verify_qr.py")

    def offline() -> tuple[int, str]:
        command = [sys.executable, example, str(tmp_path / "keys.json"), f"{LOCKER}/p#{text}"]
        ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        return ran.returncode, ran.stdout

    (tmp_path / "keys.json").write_bytes((await place.world.locker.get("/v1/printed/keys")).content)
    assert offline()[0] == 0
    thief = await rotated(place)
    claims = verified1(message_of(text), [thief])
    await withdrawn(place, thief, since=time.time())
    refused = await browser.post("/verify/answer?lang=en", hidden)
    assert refused.status_code == 400
    assert "Verify the document again" in refused.text
    forged = text_of(sign1({**claims, 6: 1}, thief))
    for shown in (text, forged):
        checked = (await place.world.locker.post("/v1/printed/checks", json={"text": shown})).json()
        assert (checked["authentic"], checked["reason"], checked["claims"]) == (False, "distrusted", None)
    page = await browser.post("/p?lang=en", {"text": text})
    assert "was stolen" in page.text
    (tmp_path / "keys.json").write_bytes((await place.world.locker.get("/v1/printed/keys")).content)
    assert offline() == (1, "NOT AUTHENTIC: no trusted key signed this\n")
    again = await place.world.locker.post("/v1/printed/checks", json={"text": await printed_text(place, document_id)})
    assert again.json()["authentic"] is True


async def test_o_52_an_export_of_a_stolen_key_does_not_verify_by_the_program_that_is_not_ours(
    place: CitizenWorld, tmp_path: Path
) -> None:
    claims = {"iss": LOCKER, "sub": "somebody", "iat": 1, "export_id": "e", "manifest_sha256": "0" * 64}
    made = place.world.wiring.signing.sign(claims, typ="khizana-export+jwt")
    with zipfile.ZipFile(tmp_path / "khizana.zip", "w") as archive:
        archive.writestr("manifest.jws", made)
        archive.writestr("manifest.json", '{"files": []}')
    await withdrawn(place, await rotated(place), since=time.time())
    keys = await key_set(place)
    (tmp_path / "keys.json").write_text(json.dumps(keys))
    command = ["sh", str(ROOT / "examples" / "verify_export.sh"), "khizana.zip", "keys.json"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode != 0
    assert "no key of this list signed it" in ran.stderr
    with pytest.raises(TokenRefused):
        verify(made, PublicKeys(keys), algorithms=["ES256"], typ=["khizana-export+jwt"], require=["iat"])
