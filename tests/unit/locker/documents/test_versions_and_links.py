"""The rule of docs/documents.md: a link shows the version that was shared, says what became of it, and no other one."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.citizen_browser import CitizenWorld, open_citizen_world

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(dsns: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CitizenWorld]:
    async with open_citizen_world(dsns, s3, tmp_path_factory.mktemp("locker")) as opened:
        yield opened


class Opened:
    def __init__(self, place: CitizenWorld, message: dict[str, Any]) -> None:
        self._place, self.message = place, message

    async def get(self, path: str = "") -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.message['viewing_token']}"}
        return await self._place.world.locker.get(f"/o/{self.message['opening_id']}{path}", headers=headers)


async def opened(place: CitizenWorld, document_id: str) -> Opened:
    _, link = await place.share(document_id, view_only=False)
    return Opened(place, (await place.open(link)).json())


@pytest.mark.parametrize("members", [{}, {"correction": "facts-wrong"}], ids=["replaced", "corrected"])
async def test_a_link_to_a_replaced_version_says_so_serves_it_and_never_the_new_one(
    place: CitizenWorld, members: dict[str, str]
) -> None:
    pdf = place.world.sealed(text="first version")
    first = (await place.world.deposit(pdf)).json()
    reader = await opened(place, first["document_id"])
    second = (await place.world.deposit(replaces=first["uri"], fields={"family_name": "Secret"}, **members)).json()
    told = await reader.get()
    assert '"standing":"superseded"' in told.text
    assert second["document_id"] not in told.text
    assert "Secret" not in told.text
    assert (await reader.get(f"/{first['document_id']}/original")).content == pdf
    assert (await reader.get(f"/{second['document_id']}/original")).status_code == 404
    resolved = await place.world.locker.get(f"/d/{first['uri']}")
    assert resolved.json()["uri"] == first["uri"], "the old one stays resolvable"


async def test_a_suspension_reaches_an_open_link_at_once_and_so_does_its_end(place: CitizenWorld) -> None:
    pdf = place.world.sealed(text="suspended")
    document_id = (await place.world.deposit(pdf)).json()["document_id"]
    reader = await opened(place, document_id)
    await place.world.locker.post(
        f"/v1/documents/{document_id}/suspend", headers=place.world.machine(), json={"reason": "under-review"}
    )
    for part in ("original", "pages/1.png"):
        answer = await reader.get(f"/{document_id}/{part}")
        assert (answer.status_code, answer.json()["code"]) == (403, "not-current")
    assert '"standing":"suspended"' in (await reader.get()).text
    await place.world.locker.post(f"/v1/documents/{document_id}/resume", headers=place.world.machine())
    assert (await reader.get(f"/{document_id}/original")).content == pdf


async def test_what_is_revoked_for_one_owner_by_the_others_address_is_not_served_by_any_link(
    place: CitizenWorld,
) -> None:
    answer = await place.world.deposit(uid=None, subjects=[{"uid": "2000000001"}, {"uid": "2000000002"}])
    hers, his = (one["document_id"] for one in answer.json()["documents"])
    reader = await opened(place, hers)
    await place.world.locker.post(
        f"/v1/documents/{his}/revoke", headers=place.world.machine(), json={"reason": "obtained-by-fraud"}
    )
    assert (await reader.get(f"/{hers}/original")).json()["code"] == "not-current"
    told = (await reader.get()).text
    assert '"standing":"revoked"' in told
    assert his not in told
