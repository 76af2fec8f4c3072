"""Whatever a client does with the parts (any order, again, at once, cut anywhere), each good item is one document."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.locker_world import JUSTICE, World, open_world
from tests.unit.locker.batches.zips import MULTIPART, Office, line, multipart, zipped

pytestmark = pytest.mark.asyncio(loop_scope="module")

GOOD, BAD = 4, 1
EXAMPLES = 40


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(dsns: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with open_world(dsns, s3, tmp_path_factory.mktemp("locker")) as opened:
        yield opened


@pytest.fixture(scope="module")
def pdfs(world: World) -> list[bytes]:
    """The last is another administration's."""
    return [
        *(world.sealed(text=str(number)) for number in range(GOOD)),
        *(world.sealed(JUSTICE, text=str(number)) for number in range(BAD)),
    ]


Parts = Sequence[tuple[Sequence[int], float, bool, bool]]
"""Items, how much of the part arrives, and whether the next part is sent before its answer is there, and its form."""

parts_of = st.lists(
    st.tuples(
        st.lists(st.integers(0, GOOD + BAD - 1), min_size=1, max_size=GOOD + BAD),
        st.one_of(st.just(1.0), st.floats(0.0, 1.0)),
        st.booleans(),
        st.booleans(),
    ),
    max_size=5,
)


async def send(
    office: Office, batch_id: str, items: Sequence[int], pdfs: list[bytes], share: float, *, as_zip: bool = True
) -> None:
    files = {f"i-{item}.pdf": pdfs[item] for item in items}
    whole = zipped(files) if as_zip else multipart(files)
    part = whole[: int(len(whole) * share)]

    async def arriving() -> AsyncIterator[bytes]:
        for start in range(0, len(part), 3_000):
            yield part[start : start + 3_000]

    answer: httpx.Response = await office.send(batch_id, arriving(), "application/zip" if as_zip else MULTIPART)
    assert answer.status_code in (200, 400), answer.text


@given(parts=parts_of)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
async def test_each_good_item_is_exactly_one_document(world: World, pdfs: list[bytes], parts: Parts) -> None:
    office = Office(world)
    batch_id = await office.registered([line(f"i-{item}", pdf) for item, pdf in enumerate(pdfs)])
    [before] = await world.rows("SELECT count(*) AS n FROM locker.document")
    together: list[asyncio.Task[None]] = []
    for items, share, at_once, as_zip in parts:
        together.append(asyncio.create_task(send(office, batch_id, items, pdfs, share, as_zip=as_zip)))
        if not at_once:
            await asyncio.gather(*together)
    await asyncio.gather(*together)
    # As any client ends: what is missing is sent, until nothing is.
    missing = [int(item.removeprefix("i-")) for item in await office.missing(batch_id)]
    if missing:
        await send(office, batch_id, missing, pdfs, 1.0)
    assert await office.states(batch_id) == {"deposited": GOOD, "refused": BAD}
    [after] = await world.rows("SELECT count(*) AS n FROM locker.document")
    assert after["n"] == before["n"] + GOOD
    results = await office.results(batch_id)
    ids = [one["document_id"] for one in results if one["state"] == "deposited"]
    assert len(set(ids)) == GOOD
    rows = await world.rows(
        "SELECT document_id, encode(sha256, 'hex') AS sha256 FROM locker.document WHERE document_id = ANY($1::text[])",
        ids,
    )
    assert {row["document_id"]: row["sha256"] for row in rows} == {
        one["document_id"]: one["sha256"] for one in results if one["state"] == "deposited"
    }
