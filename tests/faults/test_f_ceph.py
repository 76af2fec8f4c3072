"""The whole product on a real Ceph: two servers and a worker, whose object store is a RADOS gateway.

What the rows F-10, F-11, F-15 and F-18 say of the embedded store holds here where Ceph itself fails: a gateway that is
killed, an OSD that stands still, a bucket that may take no more. The invariants are asked after the kills, and at the
end: each lists hundreds of folders, which takes a while on Ceph.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from khizana.embedded.postgres import EmbeddedPostgres
from locker.access.sessions import SESSION_COOKIE
from tests.ceph import Ceph
from tests.faults.invariants import check
from tests.faults.rig import Rig, running
from tests.faults.test_f_rows import OBJECTS_MAX_S, is_unavailable, timed, within

pytestmark = [pytest.mark.slow, pytest.mark.ceph, pytest.mark.asyncio(loop_scope="module")]

KILLS = 3
DEPOSITED_MEANWHILE = 4
BACK_MAX_S = 60.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("on-ceph")


@pytest.fixture(scope="module")
def database(folder: Path) -> Iterator[EmbeddedPostgres]:
    home = folder / "home"
    home.mkdir(mode=0o700)
    server = EmbeddedPostgres.start(home)
    yield server
    server.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rig(folder: Path, database: EmbeddedPostgres, ceph: Ceph) -> AsyncIterator[Rig]:
    # A bucket of its own: what other tests left in theirs would be unknown here.
    own = replace(ceph, bucket="product")
    own.client().make_bucket(own.bucket)
    async with running(folder, database, own) as running_rig:
        yield running_rig


async def test_f_10_a_gateway_killed_again_and_again_loses_no_deposit(rig: Rig, ceph: Ceph) -> None:
    over = asyncio.Event()

    async def work(name: str) -> None:
        number = 0
        while not over.is_set():
            number += 1
            pdf = await asyncio.to_thread(rig.pdf, pages=1 if number % 3 else 200)
            await rig.deposit_until_answered(pdf, key=f"gateway-{name}-{number}")

    async def kill() -> None:
        try:
            for _ in range(KILLS):
                wanted = len(rig.answered) + DEPOSITED_MEANWHILE
                while len(rig.answered) < wanted:
                    await asyncio.sleep(0.02)
                await asyncio.to_thread(ceph.kill, "radosgw")
                refused = await rig.deposit(await asyncio.to_thread(rig.pdf), key=f"refused-{wanted}")
                assert (refused.status_code, refused.json()["code"]) == (503, "object-store-unavailable")
                # In this thread, with which it ends.
                ceph.start_gateway()
        finally:
            over.set()

    async with asyncio.timeout(240):
        await asyncio.gather(kill(), work("a"), work("b"))
    assert len(rig.answered) >= KILLS * DEPOSITED_MEANWHILE
    await check(rig)


async def test_f_11_an_osd_that_stands_still_is_given_up_and_all_goes_on_behind_it(rig: Rig, ceph: Ceph) -> None:
    """The gateway takes every request and answers none; what needs no object does not notice."""
    seen = (await rig.deposit_until_answered(rig.pdf(), key="still-seen"))["document_id"]
    revoked = (await rig.deposit_until_answered(rig.pdf(), key="still-revoked"))["document_id"]
    path = await rig.share(seen, openings=2)
    pdf, other = rig.pdf(), rig.pdf(pages=200)
    holder = (await rig.request(pdf)).holder
    session = {"Cookie": f"{SESSION_COOKIE}={rig.cookie}"}
    async with rig.nodes[0].http() as one, rig.nodes[1].http() as two:
        with ceph.still("ceph-osd"):
            needing = [rig.original(seen, node=number % 2) for number in range(8)]
            needing += [rig.deposit(pdf, key="still-a"), rig.deposit(other, key="still-b", node=1)]
            waiting = [asyncio.create_task(timed(request)) for request in needing]
            for answer in await asyncio.gather(
                one.get("/wallet", headers=session),
                two.get("/readyz"),
                two.post(path),
                one.post(
                    f"/v1/documents/{revoked}/revoke",
                    auth=holder,
                    headers={"Idempotency-Key": "still-revoke"},
                    json={"reason": "issued-in-error"},
                ),
            ):
                assert answer.status_code == 200, answer.text
            assert not any(task.done() for task in waiting)
            for answer, took_s in await asyncio.gather(*waiting):
                assert (answer.status_code, answer.json()["code"]) == (503, "object-store-unavailable")
                assert is_unavailable(answer)
                assert await within(rig, took_s, OBJECTS_MAX_S)
        async with asyncio.timeout(BACK_MAX_S):
            while (back := await rig.original(seen)).status_code != 200:
                assert is_unavailable(back)
                await asyncio.sleep(0.1)
            await rig.deposit_until_answered(pdf, key="still-a")
            await rig.deposit_until_answered(other, key="still-b")
            assert (await two.post(path)).status_code == 200
    assert await rig.db.fetchval("SELECT state FROM locker.document WHERE document_id = $1", revoked) == "revoked"
    await check(rig)


async def test_f_18_a_full_bucket_is_said_and_room_is_enough_to_go_on(rig: Rig, ceph: Ceph) -> None:
    pdf = rig.pdf()
    seen = (await rig.deposit_until_answered(rig.pdf(), key="full-before"))["document_id"]
    with ceph.full():
        refused = await rig.deposit(pdf, key="full")
        assert (refused.status_code, refused.json()["code"]) == (503, "object-store-unavailable")
        assert (await rig.original(seen)).status_code == 200
    assert (await rig.deposit_until_answered(pdf, key="full"))["document_id"]


async def test_f_15_on_ceph_too_other_bytes_are_never_served(rig: Rig) -> None:
    seen = (await rig.deposit_until_answered(rig.pdf(), key="spoilt-before"))["document_id"]
    with rig.objects.faulty("spoilt"):
        answer = await rig.original(seen)
        assert (answer.status_code, answer.json()["code"]) == (502, "document-damaged")
    assert (await rig.original(seen)).status_code == 200


async def test_after_all_faults_of_ceph_nothing_is_lost_and_none_was_met_with_a_bare_500(rig: Rig) -> None:
    await check(rig)
    assert [line for node in rig.nodes for line in node.faults()] == []
