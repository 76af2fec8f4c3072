"""Printed copies: claims that one altered byte breaks, checked by us, by a page, and without a network."""

import ast
import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import cbor2
import pytest
import pytest_asyncio

from kit.jose import SigningKey
from locker.printed import print_copy
from locker.printed.cose import NotAuthentic, message_of, sign1, text_of, verified1
from tests.cbor_bomb import BOMB, written
from tests.conftest import ROOT
from tests.locker_world import AMINA, BIRTH, INTERIOR, LOCKER, YOUSSEF, World, open_world
from tests.windows import in_one_window

EXAMPLE = ROOT / "examples" / "verify_qr.py"
FIELDS = {"family_name": "العلوي Alaoui", "birthdate": "1990-05-17", "record_number": "1234/1990"}
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(dsns: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with open_world(dsns, s3, tmp_path_factory.mktemp("printed")) as opened:
        yield opened


async def deposited(world: World, **members: Any) -> str:
    answer = await world.deposit(fields=FIELDS, **members)
    assert answer.status_code == 201, answer.text
    document_id: str = answer.json()["document_id"]
    return document_id


async def printed(world: World, document_id: str, uid: str = AMINA, **request: Any) -> Any:
    return await world.locker.post(
        f"/v1/documents/{document_id}/printed", json=request, headers=world.citizen(uid, scope="documents:share")
    )


async def checked(world: World, text: str) -> dict[str, Any]:
    answer = await world.locker.post("/v1/printed/checks", json={"text": text})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def example() -> Any:
    spec = importlib.util.spec_from_file_location("verify_qr", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def test_a_copy_says_what_the_document_says_and_how_it_is_today(world: World) -> None:
    document_id = await deposited(world, valid_until="2099-12-31")
    made = (await printed(world, document_id)).json()
    assert made["address"].startswith(f"{LOCKER}/p#")
    assert made["status_address"] == f"{LOCKER}/p/{made['printed_id']}"
    found = await checked(world, made["address"])
    assert (found["authentic"], found["status"]["standing"]) == (True, "valid")
    claims = found["claims"]
    assert claims["fields"] == FIELDS
    assert (claims["administration"], claims["type"], claims["valid_until"]) == (INTERIOR, BIRTH, "2099-12-31")
    [row] = await world.rows("SELECT sha256 FROM locker.document WHERE document_id = $1", document_id)
    assert claims["sha256"] == row["sha256"].hex()
    status = (await world.locker.get(f"/p/{made['printed_id'].lower()}")).json()
    assert status["standing"] == "valid"
    assert "fields" not in status
    assert "owner" not in status


async def test_a_birth_extract_is_measured(world: World) -> None:
    """The figures of docs/printed-copy.md."""
    made = (await printed(world, await deposited(world))).json()
    assert 200 <= made["claims_bytes"] <= 300
    assert made["qr_version"] <= 14
    assert made["qr_modules"] == 17 + 4 * made["qr_version"]
    side = made["qr_modules"] + 8
    assert re.search(rf'width="{side / 2:g}mm"', made["qr_svg"])


async def test_a_document_that_was_revoked_since_is_said_to_be(world: World) -> None:
    document_id = await deposited(world)
    made = (await printed(world, document_id)).json()
    await world.owner_db.execute("UPDATE locker.document SET state = 'revoked' WHERE document_id = $1", document_id)
    found = await checked(world, made["address"])
    assert (found["authentic"], found["status"]["standing"]) == (True, "revoked")
    page = await world.locker.get(f"/p/{made['printed_id']}", headers={"Accept": "text/html", "Accept-Language": "fr"})
    assert "l’a révoqué" in page.text


async def test_without_script_the_code_is_pasted(world: World) -> None:
    made = (await printed(world, await deposited(world))).json()
    page = await world.locker.get("/p", headers={"Accept": "text/html"})
    assert re.search(r"printed\.\w+\.js", page.text)
    headers = {"Accept": "text/html", "Accept-Language": "ar", "Origin": LOCKER}
    shown = await world.locker.post("/p", data={"text": made["address"]}, headers=headers)
    assert "1234/1990" in shown.text
    assert 'dir="rtl"' in shown.text
    bad = await world.locker.post("/p", data={"text": made["address"][:-1]}, headers=headers)
    assert (bad.status_code, "1234/1990" in bad.text) == (200, False)
    elsewhere = {**headers, "Origin": "https://elsewhere.example"}
    assert (await world.locker.post("/p", data={"text": ""}, headers=elsewhere)).status_code == 403


async def test_the_holder_sees_that_it_was_printed_and_checked(world: World) -> None:
    document_id = await deposited(world)
    made = (await printed(world, document_id)).json()
    await checked(world, made["address"])
    rows = await world.rows(
        "SELECT action, owner FROM locker.audit WHERE object_id = $1 AND action = ANY($2::text[]) ORDER BY audit_id",
        document_id,
        ["document.printed", "document.checked"],
    )
    assert [(row["action"], row["owner"]) for row in rows] == [
        ("document.printed", world.subs[AMINA]),
        ("document.checked", world.subs[AMINA]),
    ]


async def test_d_12_whoever_holds_a_paper_cannot_fill_its_holders_history(world: World) -> None:
    """By its code and by its short address; all get their answer."""

    async def asks(_number: int) -> int:
        document_id = await deposited(world)
        made = (await printed(world, document_id)).json()
        for number in range(70):
            if number % 50 == 0:
                # As if from another address: each has sixty a minute.
                await world.owner_db.execute("DELETE FROM locker.throttle WHERE bucket LIKE 'printed:%'")
            if number % 2:
                assert (await checked(world, made["address"]))["status"]["standing"] == "valid"
            else:
                assert (await world.locker.get(f"/p/{made['printed_id']}")).json()["standing"] == "valid"
        [row] = await world.rows(
            "SELECT count(*) AS n FROM locker.audit WHERE object_id = $1 AND action = 'document.checked'", document_id
        )
        return int(row["n"])

    assert await in_one_window(3_600, asks) == 60


async def test_the_holder_chooses_what_the_code_says(world: World) -> None:
    document_id = await deposited(world)
    made = (await printed(world, document_id, fields=["family_name"])).json()
    assert (await checked(world, made["address"]))["claims"]["fields"] == {"family_name": FIELDS["family_name"]}
    assert (await printed(world, document_id, fields=["salary"])).json()["code"] == "field-unknown"


async def test_what_does_not_fit_a_code_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    document_id = await deposited(world)
    monkeypatch.setattr(print_copy, "CLAIMS_MAX_BYTES", 200)
    answer = await printed(world, document_id)
    assert (answer.status_code, answer.json()["code"], answer.json()["max_bytes"]) == (422, "printed-too-large", 200)
    assert (await printed(world, document_id, fields=["record_number"])).status_code == 422, (
        "the frame alone takes as much"
    )


async def test_only_its_holder_prints_a_document(world: World) -> None:
    document_id = await deposited(world)
    assert (await printed(world, document_id, uid=YOUSSEF)).status_code == 404
    answer = await world.locker.post(f"/v1/documents/{document_id}/printed", json={}, headers=world.citizen())
    assert answer.status_code == 403


@pytest.mark.parametrize("identifier", ["0000000000000", "x", "' OR 1=1"])
async def test_an_identifier_that_nobody_printed_opens_nothing(world: World, identifier: str) -> None:
    answer = await world.locker.get(f"/p/{identifier}")
    assert (answer.status_code, answer.json()["code"]) == (404, "printed-unknown")


async def test_one_altered_byte_fails_whichever_it_is(world: World) -> None:
    """Every byte of the message, with each of its bits, and every character of the text: by us and by the example."""
    made = (await printed(world, await deposited(world))).json()
    text = made["address"].partition("#")[2]
    message, keys = message_of(text), world.wiring.signing.trusted()
    trusted, verify = (await world.locker.get("/v1/printed/keys")).json(), example()
    assert verified1(message, keys)["f"] == verify.check(trusted, text)["f"] == FIELDS
    for at in range(len(message)):
        for bit in range(8):
            altered = bytearray(message)
            altered[at] ^= 1 << bit
            with pytest.raises(NotAuthentic):
                verified1(bytes(altered), keys)
            with pytest.raises(verify.NotAuthentic):
                verify.check(trusted, text_of(bytes(altered)))
    for at in range(len(text)):
        other = text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]
        with pytest.raises(NotAuthentic):
            verified1(message_of(other), keys)
        with pytest.raises(verify.NotAuthentic):
            verify.check(trusted, other)
    for shorter in (text[:-1], text + "A", text + "=", text + "\n", ""):
        if shorter.strip() == text:
            continue
        with pytest.raises(verify.NotAuthentic):
            verify.check(trusted, shorter)
        with pytest.raises(NotAuthentic):
            verified1(message_of(shorter), keys)


async def test_what_another_key_signed_is_not_ours() -> None:
    ours, theirs = SigningKey.generate("ES256"), SigningKey.generate("ES256")
    message = sign1({1: "x"}, theirs)
    with pytest.raises(NotAuthentic, match="key"):
        verified1(message, [ours])
    # The identifier of our key over their signature.
    theirs.kid = ours.kid
    with pytest.raises(NotAuthentic, match="signature"):
        verified1(sign1({1: "x"}, theirs), [ours])


async def test_d_07_a_code_that_grows_where_it_is_encoded_again_is_refused_before(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has no copy and no account may send it."""
    header = cbor2.dumps({1: -7, 4: b"kid"})
    frames = [[header, {}, BOMB, b""], [BOMB, {}, BOMB, b""], [header, BOMB, b"", b""]]
    messages = [
        BOMB,
        *(b"\xd2\x84" + b"".join(part if part is BOMB else cbor2.dumps(part) for part in frame) for frame in frames),
    ]
    messages += [cbor2.dumps(cbor2.CBORTag(18, frame)) for frame in frames[:2]]
    lengths = written(monkeypatch)
    for message in messages:
        found = await checked(world, text_of(message))
        assert (found["authentic"], found["reason"]) == (False, "encoding")
    assert max(lengths, default=0) < 2_000


async def test_the_example_needs_no_network_and_no_other_library(world: World, tmp_path: Path) -> None:
    imported = {
        (node.module or "").split(".")[0] if isinstance(node, ast.ImportFrom) else node.names[0].name.split(".")[0]
        for node in ast.walk(ast.parse(EXAMPLE.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert imported - set(sys.stdlib_module_names) == {"cryptography"}
    assert not imported & {"socket", "urllib", "http", "ssl"}
    made = (await printed(world, await deposited(world))).json()
    keys = tmp_path / "keys.json"
    keys.write_bytes((await world.locker.get("/v1/printed/keys")).content)
    since = json.loads(keys.read_bytes())["updated_at"]

    def run(text: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, EXAMPLE, keys, text], capture_output=True, text=True, timeout=60)

    good, bad = run(made["address"]), run(made["address"][:-2] + "xx")
    assert good.returncode == 0, good.stderr
    assert f"authentic; status unknown since {since}" in good.stdout
    assert "record_number: 1234/1990" in good.stdout
    assert (bad.returncode, bad.stdout.startswith("NOT AUTHENTIC")) == (1, True)


async def test_k_22_a_flood_of_copies_is_stopped_and_is_nobody_elses_matter(world: World) -> None:
    of_amina, of_youssef = await deposited(world), await deposited(world, uid=YOUSSEF)
    answers = [(await printed(world, of_amina, fields=[])).status_code for _ in range(125)]
    assert answers[-1] == 429
    assert (await printed(world, of_youssef, YOUSSEF)).status_code == 201
