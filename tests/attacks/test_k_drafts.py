"""Attack rows K: the four steps of a share, taken in two windows at once."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.citizen_browser import Browser, CitizenWorld, form_of, open_citizen_world

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(dsns: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CitizenWorld]:
    async with open_citizen_world(dsns, s3, tmp_path_factory.mktemp("locker")) as opened:
        yield opened


async def checking(place: CitizenWorld) -> tuple[Browser, str, httpx.Response]:
    """A citizen before the last button: the browser, the draft's address, the page that says what will be shared."""
    citizen = await place.signed_in()
    document_id = await place.document()
    step = await citizen.submit(await citizen.get("/wallet/shares/new"), document=[document_id])
    step = await citizen.submit(await citizen.get(step.headers["location"]), recipient="Banque X", purpose="Compte")
    step = await citizen.submit(await citizen.get(step.headers["location"]), days="7", openings="3", view_only="on")
    check = step.headers["location"]
    return citizen, check.removesuffix("/check"), await citizen.get(check)


async def shares(place: CitizenWorld, draft: str) -> list[dict[str, Any]]:
    return await place.world.rows(
        "SELECT recipient, openings_max, view_only FROM locker.share WHERE share_id = $1", draft.rpartition("/")[2]
    )


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("recipient", {"recipient": "Banque Y", "purpose": "Compte"}),
        ("limits", {"days": "7", "openings": "50"}),
        ("limits", {"days": "7", "openings": "3", "view_only": "on", "pin": "123456"}),
    ],
)
async def test_k_18_what_another_window_changed_is_shown_before_it_is_shared(
    place: CitizenWorld, step: str, said: dict[str, str]
) -> None:
    citizen, draft, looked_at = await checking(place)
    await citizen.submit(await citizen.get(f"{draft}/{step}"), **said)
    answer = await citizen.submit(looked_at)
    assert await shares(place, draft) == []
    assert answer.status_code == 409
    assert (said.get("recipient") or said["openings"]) in answer.text
    made = await citizen.submit(answer)
    assert made.status_code == 303, made.text
    assert len(await shares(place, draft)) == 1


async def test_k_18_what_two_windows_say_at_once_is_all_kept(place: CitizenWorld) -> None:
    """Or who chose single fields in one of them would share the whole document."""
    citizen, draft, _check = await checking(place)
    pages = [await citizen.get(f"{draft}/{step}") for step in ("recipient", "limits")]
    async with place.world.owner_db.transaction() as tx:
        await tx.fetch("SELECT FROM locker.share_draft WHERE draft_id = $1 FOR UPDATE", draft.rpartition("/")[2])
        saying = [
            asyncio.create_task(citizen.submit(pages[0], recipient="Banque Y", purpose="Compte")),
            asyncio.create_task(citizen.submit(pages[1], days="7", openings="2", view_only="on")),
        ]
        await waiting(place, 2)
    assert [answer.status_code for answer in await asyncio.gather(*saying)] == [303, 303]
    assert (await citizen.submit(await citizen.get(f"{draft}/check"))).status_code == 303
    assert await shares(place, draft) == [{"recipient": "Banque Y", "openings_max": 2, "view_only": True}]


async def test_k_18_a_step_that_comes_late_brings_no_draft_back(place: CitizenWorld) -> None:
    citizen, draft, looked_at = await checking(place)
    limits = await citizen.get(f"{draft}/limits")
    async with place.world.owner_db.transaction() as tx:
        await tx.fetch("SELECT FROM locker.share_draft WHERE draft_id = $1 FOR UPDATE", draft.rpartition("/")[2])
        making = asyncio.create_task(citizen.submit(looked_at))
        await waiting(place, 1)
        saying = asyncio.create_task(citizen.submit(limits, days="7", openings="50"))
        await waiting(place, 2)
    assert (await making).status_code == 303
    assert (await saying).status_code == 404
    # A second click leads to the share that was made, and nothing else comes of it.
    assert (await citizen.submit(looked_at)).status_code == 303
    assert await shares(place, draft) == [{"recipient": "Banque X", "openings_max": 3, "view_only": True}]


async def waiting(place: CitizenWorld, many: int) -> None:
    """Until so many statements wait for a row."""
    async with asyncio.timeout(5):
        while True:
            [row] = await place.world.rows("SELECT count(*) AS n FROM pg_locks WHERE NOT granted")
            if row["n"] >= many:
                return
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("name", ["%E2%91%A0", "%0D%0ASet-Cookie:%20a=b", "%FF", "%C3%A9", "0" * 25, "%00"])
async def test_k_20_a_name_that_no_draft_has_is_in_no_header(place: CitizenWorld, name: str) -> None:
    citizen, draft, _check = await checking(place)
    steps = ("recipient", "limits", "fields", "check")
    said = {"recipient": "Banque X", "purpose": "Compte", "days": "7", "openings": "3"}
    for step in steps:
        _action, hidden = form_of(await citizen.get(f"{draft}/{step}"))
        answer = await citizen.post(f"/wallet/shares/new/{name}/{step}", {**hidden, **said})
        assert answer.status_code == (400 if name == "%00" else 404), step
        assert not {"location", "set-cookie"} & set(answer.headers)
