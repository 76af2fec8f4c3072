"""What an officer does at the command line."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio

from khizana.cli import main
from khizana.commands import erase
from tests.citizen_browser import CitizenWorld, open_citizen_world
from tests.conftest import Dsns
from tests.locker_world import AMINA, YOUSSEF

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(dsns: Dsns, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CitizenWorld]:
    async with open_citizen_world(dsns, s3, tmp_path_factory.mktemp("locker")) as opened:
        yield opened


Command = Callable[..., Awaitable[tuple[int, dict[str, Any], str]]]


@pytest.fixture
def khizana(
    place: CitizenWorld, dsns: Dsns, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Exit code, answer, and what was said beside it."""
    settings = place.world.wiring.settings
    for name, value in {
        "KHIZANA_MODE": "embedded",
        "KHIZANA_HOME": str(settings.keys_folder.parent / "home"),
        "KHIZANA_ISSUER": settings.issuer,
        "KHIZANA_LOCKER_URL": settings.locker_url,
        "KHIZANA_LOCKER_DATABASE_URL": dsns.locker,
        "KHIZANA_LOCKER_SECRET": settings.secret,
        "KHIZANA_LOCKER_KEYS_FOLDER": str(settings.keys_folder),
        "KHIZANA_LOCKER_S3_ENDPOINT": settings.s3_endpoint,
        "KHIZANA_LOCKER_S3_ACCESS_KEY": settings.s3_access_key,
        "KHIZANA_LOCKER_S3_SECRET_KEY": settings.s3_secret_key,
        "KHIZANA_LOCKER_S3_BUCKET": settings.s3_bucket,
        "KHIZANA_IDP_DATABASE_URL": dsns.idp,
        "KHIZANA_IDP_SECRET": "01" * 32,
        "KHIZANA_IDP_KEYS_FOLDER": str(settings.keys_folder.parent / "idp"),
    }.items():
        monkeypatch.setenv(name, value)

    async def run(*words: str) -> tuple[int, dict[str, Any], str]:
        capsys.readouterr()
        code = await asyncio.to_thread(main, list(words))
        said = capsys.readouterr()
        return code, json.loads(said.out) if said.out else {}, said.err

    return run


async def test_a_hold_keeps_and_an_erasure_without_waiting_takes(place: CitizenWorld, khizana: Command) -> None:
    document_id, owner = await place.document(), place.world.subs[AMINA]
    held = await khizana("hold", "place", document_id, "--reference", "TPI 1")
    assert held[:2] == (0, {"document_id": document_id, "reference": "TPI 1", "held": True})
    listed = await khizana("hold", "list")
    assert [(each["document_id"], each["reference"]) for each in listed[1]["holds"]] == [(document_id, "TPI 1")]
    assert (await khizana("hold", "release", document_id, "--reference", "TPI 1"))[0] == 0
    without = await khizana("erase", "--owner", owner)
    assert without[0] == 2
    waiting = await khizana("erase", "--owner", owner, "--reference", "R")
    assert list(waiting[1]) == ["due_at"]
    assert (await khizana("erase", "--owner", owner, "--undo"))[1] == {"undone": True}
    assert (await khizana("erase", "--owner", owner, "--undo"))[0] == 2
    now = await khizana("erase", "--owner", owner, "--reference", "R", "--now")
    assert (now[0], now[1]["begun"], now[1]["objects"]) == (0, 1, 1)
    assert (await place.world.locker.get("/v1/documents", headers=place.world.citizen())).status_code == 410
    # What is due now: not yet, because other nodes may remember the key.
    assert (await khizana("erase"))[1]["finished"] == 0
    await place.world.owner_db.execute("UPDATE locker.erasure SET next_attempt_at = now()")
    assert (await khizana("erase"))[1]["finished"] == 1
    assert (await khizana("erase", "--after-restore"))[1]["again"] == 0


async def test_an_account_stands_while_the_law_holds_something_of_its_locker(
    place: CitizenWorld, khizana: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    uid = "2000000003"
    owner = place.world.subs[uid] = place.world.provider.enrol(uid)
    kept, gone = await place.document(uid), await place.document(uid)

    async def known(*_: Any) -> str:
        return owner

    # This world's provider has no accounts; whose locker it is, is all that is asked.
    monkeypatch.setattr(erase, "_owner_of", known)
    await khizana("hold", "place", kept, "--reference", "TPI 2")
    code, _, said = await khizana("erase", uid, "--reference", "R", "--now", "--account")
    assert code == 2
    assert "legal-hold" in said
    rows = await place.world.rows("SELECT document_id FROM locker.document WHERE owner = $1", owner)
    assert [row["document_id"] for row in rows] == [kept] != [gone]
    again = await khizana("erase", uid, "--reference", "R", "--now")
    assert again[1]["held_until_their_hold_ends"] == [{"document_id": kept, "reference": "TPI 2"}]
    assert (await khizana("hold", "release", kept, "--reference", "TPI 2"))[0] == 0
    assert (await khizana("erase"))[1]["begun"] == 1
    await place.world.owner_db.execute("UPDATE locker.erasure SET next_attempt_at = now()")
    assert (await khizana("erase"))[1]["finished"] == 1


async def test_nobody_is_erased_by_a_slip(place: CitizenWorld, khizana: Command) -> None:
    owner = place.world.subs[YOUSSEF]
    for words in (
        ("2000000001", "--owner", owner, "--reference", "R"),
        ("--owner", owner, "--after-restore"),
        ("2999999999", "--reference", "R", "--now"),
        ("--owner", "ma.gov.interieur", "--reference", "R", "--now"),
    ):
        code, said, errors = await khizana("erase", *words)
        assert (code, said) == (2, {}), (words, errors)
    assert await place.world.rows("SELECT 1 FROM locker.erasure") == []


async def test_keys_are_rewrapped_rotated_and_retired(place: CitizenWorld, khizana: Command) -> None:
    document_id = await place.document(YOUSSEF)
    assert (await khizana("keys", "rewrap", "--dry-run"))[1]["behind"] == 0
    await place.world.owner_db.execute("DELETE FROM locker.throttle")
    master = (await khizana("keys", "rotate-master"))[1]["masters"]
    done = await khizana("keys", "rewrap")
    assert done[1]["citizen_keys"] == 0
    assert len(done[1]["epochs"]) == 1
    rows = await place.world.rows("SELECT DISTINCT master_id FROM locker.epoch_key WHERE wrapped_key IS NOT NULL")
    assert [row["master_id"] for row in rows] == master
    assert (await khizana("keys", "retire-master"))[1]["masters"] == [], "a backup may need it"
    # The server, which started with the former one, goes on.
    place.world.wiring.vault.keys._epochs._entries.clear()
    place.world.wiring.vault.keys._citizens._entries.clear()
    read = await place.world.locker.get(f"/v1/documents/{document_id}/original", headers=place.world.citizen(YOUSSEF))
    assert read.status_code == 200
    acts = await place.world.rows("SELECT action FROM locker.audit WHERE action LIKE 'keys.%' ORDER BY at")
    assert [row["action"] for row in acts] == ["keys.master-rotated", "keys.rewrapped"]


async def test_retention_shows_before_it_removes(place: CitizenWorld, khizana: Command) -> None:
    document_id = await place.document(YOUSSEF)
    await place.world.owner_db.execute(
        "UPDATE locker.document SET deposited_at = now() - interval '9 days' WHERE document_id = $1", document_id
    )
    await place.world.owner_db.execute("UPDATE locker.document_type SET retention_days = 7")
    planned = await khizana("retention", "--dry-run")
    assert (planned[1]["documents"], planned[1]["dry_run"]) == (1, True)
    assert (await khizana("retention"))[1]["documents"] == 1
    assert (await khizana("retention"))[1]["documents"] == 0


async def test_a_master_key_that_is_not_here_is_named_and_so_is_what_to_do(
    place: CitizenWorld, khizana: Command
) -> None:
    await place.document(YOUSSEF)
    await khizana("keys", "rotate-master")
    epochs = "UPDATE locker.epoch_key SET master_id = $1 WHERE wrapped_key IS NOT NULL"
    [row] = await place.world.rows("SELECT DISTINCT master_id FROM locker.epoch_key WHERE wrapped_key IS NOT NULL")
    await place.world.owner_db.execute(epochs, "0123456789abcdef")
    code, _, said = await khizana("keys", "rewrap")
    assert code == 2
    assert "master-key-missing" in said
    assert "0123456789abcdef" in said
    assert "bring back its file" in said
    await place.world.owner_db.execute(epochs, row["master_id"])
    assert (await khizana("keys", "rewrap"))[0] == 0


async def test_the_key_of_the_log_is_rotated_and_the_former_retired(place: CitizenWorld, khizana: Command) -> None:
    before = (await khizana("audit", "show"))[1]["verifier_key"]
    code, rotated, said = await khizana("audit", "rotate-key")
    assert (code, rotated["former"]) == (0, before)
    assert "copy the keys folder to each node" in said
    assert (await khizana("audit", "show"))[1]["verifier_key"] == rotated["verifier_key"] != before
    refused = await khizana("audit", "rotate-key")
    assert (refused[0], "key-beside" in refused[2]) == (2, True)
    retired = await khizana("audit", "retire-key")
    assert (retired[0], retired[1]["former"], retired[1]["verifier_key"]) == (0, before, rotated["verifier_key"])
    refused = await khizana("audit", "retire-key")
    assert (refused[0], "no-key-beside" in refused[2]) == (2, True)
    acts = await place.world.rows("SELECT action, detail FROM locker.audit WHERE action LIKE 'log.key-%' ORDER BY at")
    assert [each["action"] for each in acts] == ["log.key-rotated", "log.key-retired"]
    assert {each["detail"]["former"] for each in acts} == {before}
