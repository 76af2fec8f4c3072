"""Rows F of the catalogue, on one running product: two servers, and a fault proxy before each store.

After each fault the invariants are asked. The figures of the whole run are printed at its end.
"""

import asyncio
import contextlib
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import pytest_asyncio

from idp.keys.folder import KeyFolder
from idp.keys.rotate import announce
from khizana.embedded.postgres import EmbeddedPostgres
from khizana.embedded.s3 import EmbeddedS3
from kit.migrate import migrate
from kit.tokens import digest, new_token
from locker.access.sessions import SESSION_COOKIE
from tests.faults.invariants import check
from tests.faults.rig import DRAIN_S, Rig, running

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

KILLED_DEPOSITS = 60
KILLS = 4
AT_ONCE = 3
OPENINGS = 12
SOON_S = 2.0
OBJECTS_MAX_S = 6.0
LIVE_LINKS = 10_000
SLACK_S = 1.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("faults")


@pytest.fixture(scope="module")
def stores(folder: Path) -> Iterator[dict[str, Any]]:
    """By name, because some tests start one again."""
    home = folder / "home"
    home.mkdir(mode=0o700)
    started: dict[str, Any] = {"postgres": EmbeddedPostgres.start(home), "s3": EmbeddedS3.start(home)}
    yield started
    for store in started.values():
        store.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rig(folder: Path, stores: dict[str, Any]) -> AsyncIterator[Rig]:
    async with running(folder, stores["postgres"], stores["s3"]) as running_rig:
        yield running_rig


async def timed(request: Awaitable[httpx.Response]) -> tuple[httpx.Response, float]:
    started = time.monotonic()
    return await request, time.monotonic() - started


async def within(rig: Rig, took_s: float, limit_s: float) -> bool:
    """Where it is not, with what everything takes longer here than on an idle machine: what asks nothing, at once."""
    if took_s < limit_s + SLACK_S:
        return True
    answers = await asyncio.gather(*(timed(public(rig, "/livez")) for _ in range(40)))
    return took_s < limit_s + SLACK_S + 2 * max(took_s for _, took_s in answers)


async def wallet(rig: Rig, *, node: int = 0, path: str = "/wallet") -> httpx.Response:
    async with rig.nodes[node].http() as http:
        return await http.get(path, headers={"Cookie": f"{SESSION_COOKIE}={rig.cookie}"})


async def public(rig: Rig, path: str, *, node: int = 0) -> httpx.Response:
    async with rig.nodes[node].http() as http:
        return await http.get(path)


async def depositing(rig: Rig, name: str, count: int, during: Callable[[], Awaitable[None]]) -> None:
    """Deposit until ``during`` is over and ``count`` are answered, some at once; each is repeated until it is."""
    over = asyncio.Event()
    made = 0

    async def work() -> None:
        nonlocal made
        while not over.is_set() or made < count:
            made += 1
            key = f"{name}-{made}"
            pdf = await asyncio.to_thread(rig.pdf, pages=1 if made % 4 else 60)
            await rig.deposit_until_answered(pdf, key=key)

    async def fault() -> None:
        try:
            await during()
        finally:
            over.set()

    shown = (await rig.deposit_until_answered(rig.pdf(), key=f"{name}-shared"))["document_id"]
    path = await rig.share(shown, openings=OPENINGS)
    async with asyncio.timeout(300):
        _, opened, *_ = await asyncio.gather(fault(), opening(rig, path, over), *(work() for _ in range(AT_ONCE)))
    # An opening whose answer was lost is spent all the same.
    assert 0 < opened <= OPENINGS


async def opening(rig: Rig, path: str, over: asyncio.Event) -> int:
    """Somebody who opens a link again and again, at either server: how often it was shown."""
    opened = number = 0
    while not over.is_set():
        number += 1
        async with rig.nodes[number % 2].http() as http:
            with contextlib.suppress(httpx.HTTPError):
                answer = await http.post(path)
                assert answer.status_code in (200, 404, 429, 503), answer.text
                opened += answer.status_code == 200
        await asyncio.sleep(0.3)
    return opened


async def until_answered(rig: Rig, more: int) -> None:
    wanted = len(rig.answered) + more
    while len(rig.answered) < wanted:
        await asyncio.sleep(0.02)


def is_unavailable(answer: httpx.Response) -> bool:
    return answer.status_code == 503 and int(answer.headers["retry-after"]) > 0


async def test_f_01_killed_servers_lose_no_deposit(rig: Rig) -> None:
    async def kill() -> None:
        for number in range(KILLS):
            await until_answered(rig, 6)
            struck = [rig.nodes[number % 2]] if number + 1 < KILLS else rig.nodes
            await asyncio.gather(*(node.kill() for node in struck))
            rig.figures.kills += len(struck)
            for node in struck:
                node.begin()
            await asyncio.gather(*(node.up() for node in struck))

    await depositing(rig, "f-01", KILLED_DEPOSITS, kill)
    await check(rig)
    assert rig.figures.kills == KILLS + 1


async def test_f_04_a_database_stopped_at_once_loses_no_deposit(rig: Rig, stores: dict[str, Any]) -> None:
    async def stop() -> None:
        await until_answered(rig, 6)
        postgres = stores["postgres"]
        postgres.process.send_signal(signal.SIGQUIT)  # what pg_ctl -m immediate sends
        postgres.process.wait(10)
        postgres.stop()
        stores["postgres"] = EmbeddedPostgres.start(rig.home.folder)
        rig.figures.kills += 1
        await until_answered(rig, 6)

    await depositing(rig, "f-04", 12, stop)
    await check(rig)


async def test_f_05_a_database_that_is_down_is_said_soon_and_what_needs_none_goes_on(rig: Rig) -> None:
    pdf = rig.pdf()
    with rig.database.faulty("refused"):
        for node in (0, 1):
            for answer, took_s in [
                await timed(wallet(rig, node=node)),
                await timed(rig.deposit(pdf, key="f-05", node=node)),
            ]:
                assert is_unavailable(answer), answer.text
                assert await within(rig, took_s, SOON_S)
            for path in (
                "/livez",
                "/idp/livez",
                "/idp/jwks",
                "/idp/.well-known/openid-configuration",
                "/.well-known/jwks.json",
            ):
                assert (await public(rig, path, node=node)).status_code == 200
            readiness = await rig.readiness(node=node)
            assert (readiness.status_code, readiness.json()["database"]) == (503, False)
    await rig.recovered()
    assert (await wallet(rig)).status_code == 200
    assert (await rig.deposit_until_answered(pdf, key="f-05"))["document_id"]
    await check(rig)


async def test_f_05_a_database_behind_a_cut_cable_is_given_up_and_comes_back(rig: Rig) -> None:
    """Nothing is refused and nothing comes: only bounds of ours end the waiting."""
    await asyncio.gather(*(wallet(rig) for _ in range(12)))
    with rig.database.faulty("silent"):
        held = await asyncio.gather(*(timed(wallet(rig)) for _ in range(12)))
        assert all(is_unavailable(answer) for answer, _ in held)
        assert await within(rig, max(took_s for _, took_s in held), 5)
        answer, took_s = await timed(wallet(rig))
        assert is_unavailable(answer)
        assert await within(rig, took_s, SOON_S)
        assert (await public(rig, "/livez")).status_code == 200
    await rig.recovered()
    answers = await asyncio.gather(*(wallet(rig) for _ in range(12)))
    assert [answer.status_code for answer in answers] == [200] * 12
    await check(rig)


async def test_f_08_a_pool_full_of_waiting_reads_leaves_the_rest_alive(rig: Rig) -> None:
    document_id = (await rig.deposit_until_answered(rig.pdf(), key="f-08"))["document_id"]
    path = await rig.share(document_id, openings=1)
    async with rig.owner_db.transaction() as tx:
        await tx.execute("LOCK TABLE locker.session IN ACCESS EXCLUSIVE MODE")
        flood = [asyncio.create_task(timed(wallet(rig))) for _ in range(40)]
        # While they wait, what has its own part of the pool works.
        assert (await public(rig, "/livez")).status_code == 200
        assert (await rig.readiness()).status_code == 200
        assert (await public(rig, "/verify")).status_code == 200
        assert (await rig.deposit(rig.pdf(), key="f-08-beside")).status_code == 201
        answers = await asyncio.gather(*flood)
    assert all(is_unavailable(answer) for answer, _ in answers)
    assert await within(rig, max(took_s for _, took_s in answers), SOON_S)
    assert (await wallet(rig)).status_code == 200
    async with rig.nodes[0].http() as http:
        assert (await http.post(path)).status_code == 200
    await check(rig)


_TENTH = """
    CREATE SEQUENCE locker.tenth;
    GRANT USAGE ON SEQUENCE locker.tenth TO PUBLIC;
    CREATE FUNCTION locker.fail_each_tenth() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE n bigint := nextval('locker.tenth');
    BEGIN
        IF n % 20 = 0 THEN RAISE EXCEPTION 'injected' USING ERRCODE = '40001'; END IF;
        IF n % 20 = 10 THEN RAISE EXCEPTION 'injected' USING ERRCODE = '40P01'; END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER fail BEFORE INSERT ON locker.document FOR EACH ROW EXECUTE FUNCTION locker.fail_each_tenth();
    CREATE TRIGGER fail BEFORE INSERT ON locker.audit FOR EACH ROW EXECUTE FUNCTION locker.fail_each_tenth();
    CREATE TRIGGER fail BEFORE INSERT ON locker.opening FOR EACH ROW EXECUTE FUNCTION locker.fail_each_tenth();
    CREATE TRIGGER fail BEFORE INSERT ON locker.deposit_intent
        FOR EACH ROW EXECUTE FUNCTION locker.fail_each_tenth();"""


async def test_f_09_what_postgresql_rolls_back_happens_again_and_once(rig: Rig) -> None:
    await rig.owner_db.execute(_TENTH)
    try:
        document_id = ""
        for number in range(20):
            answer = await rig.deposit(rig.pdf(), key=f"f-09-{number}", node=number % 2)
            assert answer.status_code == 201, answer.text
            document_id = answer.json()["document_id"]
        path = await rig.share(document_id, openings=20)
        for number in range(24):
            async with rig.nodes[number % 2].http() as http:
                opened = await http.post(path)
            assert opened.status_code == (200 if number < 20 else 404), opened.text
        assert await rig.owner_db.fetchval("SELECT last_value FROM locker.tenth") > 100
    finally:
        await rig.owner_db.execute("DROP FUNCTION locker.fail_each_tenth() CASCADE; DROP SEQUENCE locker.tenth")
    await check(rig)


async def test_f_10_without_the_object_store_nothing_is_promised_and_lists_work(rig: Rig) -> None:
    seen = (await rig.deposit_until_answered(rig.pdf(), key="f-10-before"))["document_id"]
    pdf = rig.pdf()
    rows = await rig.db.fetchval("SELECT count(*) FROM locker.document")
    with rig.objects.faulty("refused"):
        deposited, took_s = await timed(rig.deposit(pdf, key="f-10"))
        assert (deposited.status_code, deposited.json()["code"]) == (503, "object-store-unavailable")
        assert is_unavailable(deposited)
        assert await within(rig, took_s, OBJECTS_MAX_S)
        assert await rig.db.fetchval("SELECT count(*) FROM locker.document") == rows
        assert is_unavailable(await rig.original(seen))
        assert (await wallet(rig)).status_code == 200
        assert (await rig.readiness()).status_code == 200
    assert (await rig.original(seen)).status_code == 200
    assert (await rig.deposit(pdf, key="f-10")).status_code == 201
    await check(rig)


@pytest.mark.parametrize("fault", ["slow", "silent", "dripping"])
async def test_f_11_a_slow_object_store_is_cut_and_holds_nobody_else_up(rig: Rig, fault: Any) -> None:
    pdf = rig.pdf()
    seen = (await rig.deposit_until_answered(rig.pdf(), key=f"f-11-{fault}-before"))["document_id"]
    usual = max([(await timed(wallet(rig)))[1] for _ in range(20)])
    with rig.objects.faulty(fault, delay_s=30):
        slow = [asyncio.create_task(timed(rig.original(seen))) for _ in range(8)]
        slow.append(asyncio.create_task(timed(rig.deposit(pdf, key=f"f-11-{fault}"))))
        beside: list[float] = []
        while len(beside) < 20 and not any(task.done() for task in slow):
            beside.append((await timed(wallet(rig)))[1])
        for answer, took_s in await asyncio.gather(*slow):
            assert is_unavailable(answer), answer.text
            assert await within(rig, took_s, OBJECTS_MAX_S)
        # All but the slowest, beside the slow ones: on a busy machine there is time for a few.
        assert len(beside) > 2
        assert sorted(beside)[-2] < 3 * usual + 0.3
    assert (await rig.original(seen)).status_code == 200
    await rig.deposit_until_answered(pdf, key=f"f-11-{fault}")
    await check(rig)


async def test_f_15_other_bytes_are_never_served_and_never_promised(rig: Rig) -> None:
    seen = await rig.deposit_until_answered(rig.pdf(), key="f-15-before")
    pdf = rig.pdf()
    with rig.objects.faulty("spoilt"):
        answer = await rig.original(seen["document_id"])
        assert (answer.status_code, answer.json()["code"]) == (502, "document-damaged")
        assert (await rig.deposit(pdf, key="f-15")).status_code == 502
    assert (await rig.original(seen["document_id"])).status_code == 200
    assert (await rig.deposit(pdf, key="f-15")).status_code == 201
    await check(rig)


INODES = 16


async def test_f_18_a_full_disk_is_said_and_room_is_enough_to_go_on(rig: Rig, tmp_path: Path) -> None:
    """Where documents stand while they are judged: a file system of 256 kB that only one server sees."""
    small = tmp_path / "small"
    small.mkdir()
    within = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    within += [f'mount -t tmpfs -o size=256k,nr_inodes={INODES} none {small} && exec "$@"', "sh"]
    if subprocess.run([*within, "true"], capture_output=True).returncode:
        pytest.skip("SKIPPED: this machine lets nobody make a small file system")
    node = rig.nodes[1]
    await node.kill()
    node.begin(within=within, KHIZANA_LOCKER_TEMPORARY_FOLDER=str(small))
    await node.up()
    fits, large = rig.pdf(), await asyncio.to_thread(rig.pdf, pages=1_000)
    assert len(large) > 256 * 1024
    refused = await rig.deposit(large, key="f-18-large", node=1)
    assert (refused.status_code, refused.json()["code"]) == (507, "insufficient-storage")
    async with node.http() as http:
        answer = await http.post("/v1/verifications", content=large, headers={"Content-Type": "application/pdf"})
        assert is_unavailable(answer), answer.text
        assert answer.json()["code"] == "no-room"
    assert [left for left in node.file(small).rglob("*") if left.is_file()] == []
    # Not a byte is left.
    filled = node.file(small) / "filled"
    with filled.open("xb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"x" * 4096):
            pass
    assert (await rig.deposit(fits, key="f-18", node=1)).status_code == 507
    filled.unlink()
    # Not one more name.
    with contextlib.suppress(OSError):
        for number in range(INODES):
            (node.file(small) / str(number)).touch()
    assert (await rig.deposit(fits, key="f-18", node=1)).status_code == 507
    for left in node.file(small).iterdir():
        if left.is_file():
            left.unlink()
    assert (await rig.deposit(fits, key="f-18", node=1)).status_code == 201
    assert (await rig.deposit(large, key="f-18-large", node=0)).status_code == 201
    await node.kill()
    await node.start()
    await check(rig)


def clock_ahead(by: str) -> dict[str, str]:
    """For the environment of a process. Its monotonic clock stays as it is, as it does where a clock is set."""
    libraries = list(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not libraries:
        pytest.skip("SKIPPED: libfaketime is not here (Debian: apt-get install libfaketime)")
    return {"LD_PRELOAD": str(libraries[0]), "FAKETIME": by, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


async def test_f_20_a_server_whose_clock_is_ten_minutes_ahead_says_so_and_takes_no_token(rig: Rig) -> None:
    node = rig.nodes[1]
    ahead = clock_ahead("+10m")
    await node.kill()
    node.begin(**ahead)
    await node.up()
    readiness = await rig.readiness(node=1)
    assert (readiness.status_code, readiness.json()["database"]) == (503, True)
    assert abs(readiness.json()["clock_skew_s"] - 600) < 5
    # Its proof of possession is ten minutes old there.
    assert (await rig.deposit(rig.pdf(), key="f-20", node=1, token_of=0)).status_code == 401
    assert (await rig.readiness(node=0)).status_code == 200
    assert (await rig.deposit(rig.pdf(), key="f-20", node=0)).status_code == 201
    await node.kill()
    await node.start()
    await check(rig)


async def test_f_20_a_worker_whose_clock_is_years_ahead_ends_no_key(rig: Rig) -> None:
    """By that clock, the next signing key has long signed, and the one that signs is not needed any more."""
    ahead = clock_ahead("+3y")
    folder = rig.deployment.idp_settings().keys_folder
    await announce(KeyFolder(folder), "ES256")
    keys = sorted(path.name for path in folder.glob("*.pem"))
    rig.worker.terminate()
    assert await rig.worker.ended(60) == 0
    rig.worker.begin(**ahead)
    await rig.worker.heard("rotation of the keys: not with this machine's clock", within_s=120)
    assert sorted(path.name for path in folder.glob("*.pem")) == keys
    refused = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "khizana", "keys", "retire"],
        env={**rig.deployment.environ, **ahead},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (refused.returncode, "This machine's clock" in refused.stderr) == (2, True), refused.stderr
    assert sorted(path.name for path in folder.glob("*.pem")) == keys
    rig.worker.terminate()
    assert await rig.worker.ended(60) == 0
    assert "failed" not in (rig.worker.folder / "serve.log").read_text()
    await rig.worker.start()
    await check(rig)


CHANGED = ("audit", "document", "document_type", "holding", "idempotency", "opening", "session", "share")


async def test_f_31_one_server_after_the_other_is_replaced_and_no_deposit_notices(rig: Rig, tmp_path: Path) -> None:
    """As a load balancer does it: requests go where readyz says yes. The tables are one migration ahead meanwhile."""
    ahead = tmp_path / "migrations"
    ahead.mkdir()
    (ahead / "9990_ahead.sql").write_text(
        "".join(f"ALTER TABLE locker.{table} ADD COLUMN ahead text NOT NULL DEFAULT 'x';" for table in CHANGED)
    )
    ready = [True, True]
    over = asyncio.Event()
    statuses: list[int] = []

    async def watch(node: int) -> None:
        while not over.is_set():
            try:
                ready[node] = (await rig.readiness(node=node)).status_code == 200
            except httpx.HTTPError:
                ready[node] = False
            await asyncio.sleep(DRAIN_S / 10)

    async def load() -> None:
        number = 0
        while not over.is_set():
            number += 1
            node = number % 2 if ready[number % 2] else (number + 1) % 2
            pdf = await asyncio.to_thread(rig.pdf)
            statuses.append((await rig.deposit(pdf, key=f"f-31-{number}", node=node)).status_code)
            statuses.append((await wallet(rig, node=node)).status_code)

    async def replace() -> None:
        # The new version's migration first, while the old version serves.
        await until_answered(rig, 3)
        assert await migrate(rig.deployment.owner_dsn(), ahead, "locker") == ["9990_ahead.sql"]
        for number, node in enumerate(rig.nodes):
            await until_answered(rig, 3)
            node.terminate()
            assert await node.ended(30) == 0
            await node.start()
            while not ready[number]:
                await asyncio.sleep(0.05)
        await until_answered(rig, 3)
        over.set()

    await asyncio.gather(watch(0), watch(1), load(), replace())
    assert set(statuses) == {200, 201}
    await rig.owner_db.execute(
        "".join(f"ALTER TABLE locker.{table} DROP COLUMN ahead;" for table in CHANGED)
        + "DELETE FROM locker.migration WHERE name = '9990_ahead.sql'"
    )
    await check(rig)


async def test_f_32_a_server_told_to_stop_says_so_first_and_finishes_uploads(rig: Rig) -> None:
    node = rig.nodes[1]
    begun, told_to_end = asyncio.Event(), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield body[:1000]
        begun.set()
        await told_to_end.wait()
        yield body[1000:]

    request = await rig.request(rig.pdf())
    body = request.content
    async with node.http() as http:
        uploading = asyncio.create_task(
            http.post(
                "/v1/deposits",
                content=slowly(),
                auth=request.holder,
                headers={"Idempotency-Key": '"f-32"', "Content-Type": request.content_type},
            )
        )
        await begun.wait()
        node.terminate()
        while (readiness := (await rig.readiness(node=1))).status_code == 200:
            await asyncio.sleep(0.02)
        assert readiness.json()["draining"] is True
        assert (await public(rig, "/livez", node=1)).status_code == 200
        told_to_end.set()
        answer = await uploading
    assert answer.status_code == 201, answer.text
    rig.answered["f-32"] = answer.json()
    assert await node.ended(30) == 0
    await node.start()
    await check(rig)


async def test_k_03_fifty_race_at_two_servers_for_what_is_left(rig: Rig) -> None:
    document_id = (await rig.deposit_until_answered(rig.pdf(), key="k-03"))["document_id"]
    path = await rig.share(document_id, openings=9)
    async with rig.nodes[0].http() as one, rig.nodes[1].http() as other:
        answers = await asyncio.gather(*((one, other)[n % 2].post(path) for n in range(50)))
    # Who was shed, or came after the prober's share of dead links, opened nothing either.
    statuses = Counter(answer.status_code for answer in answers)
    assert statuses[200] == 9, statuses
    assert set(statuses) <= {200, 404, 429, 503}
    counted = "SELECT openings_used FROM locker.share WHERE token_sha256 = $1"
    assert await rig.owner_db.fetchval(counted, digest(path.removeprefix("/s/"))) == 9


async def test_k_05_revocation_reaches_ten_thousand_live_links_on_both_servers_within_a_second(
    rig: Rig, capsys: pytest.CaptureFixture[str]
) -> None:
    document_id = (await rig.deposit_until_answered(rig.pdf(), key="k-05"))["document_id"]
    first = await rig.share(document_id, openings=50)
    tokens = [new_token() for _ in range(LIVE_LINKS - 1)]
    await rig.owner_db.execute(
        """
        WITH one AS (SELECT s.* FROM locker.share s WHERE s.token_sha256 = $1),
        many AS (INSERT INTO locker.share (owner, share_id, token_sha256, caveats, recipient, purpose, until,
                                           openings_max, view_only)
                 SELECT owner, 'K05' || n, t, caveats, recipient, purpose, until, openings_max, view_only
                   FROM one, unnest($2::bytea[]) WITH ORDINALITY AS u (t, n) RETURNING owner, share_id)
        INSERT INTO locker.share_document (owner, share_id, document_id, position)
        SELECT owner, share_id, $3, 1 FROM many""",
        digest(first.removeprefix("/s/")),
        [digest(token) for token in tokens],
        document_id,
    )
    links = [first, *(f"/s/{token}" for token in tokens[:: LIVE_LINKS // 20])]
    figures = {"links": await rig.owner_db.fetchval("SELECT count(*) FROM locker.share WHERE revoked_at IS NULL")}
    assert figures["links"] >= LIVE_LINKS
    async with rig.nodes[0].http() as one, rig.nodes[1].http() as other:
        viewing = [(await other.post(link)).json() for link in links]

        def look(opened: dict[str, Any]) -> Awaitable[httpx.Response]:
            bearer = {"Authorization": f"Bearer {opened['viewing_token']}"}
            return other.get(f"/o/{opened['opening_id']}", headers=bearer)

        async def seen(changed: Callable[[], Awaitable[bool]], at: float) -> float:
            while not await changed():
                pass
            return time.monotonic() - at

        async def revoked_there() -> bool:
            return bool((await look(viewing[0])).json()["documents"][0]["answer"]["standing"] == "revoked")

        async def over_there(link: str) -> bool:
            return (await other.get(link)).status_code == 404

        by_issuer = asyncio.create_task(seen(revoked_there, time.monotonic()))
        holder = (await rig.request(rig.pdf())).holder
        answer = await one.post(
            f"/v1/documents/{document_id}/revoke",
            auth=holder,
            headers={"Idempotency-Key": "k-05-revoke"},
            json={"reason": "issued-in-error"},
        )
        assert answer.status_code == 200, answer.text
        for opened in [*viewing, *[(await other.post(link)).json() for link in links]]:
            [document] = (await look(opened)).json()["documents"]
            assert (document["answer"]["standing"], document["pictures"]) == ("revoked", [])
        figures["issuer_s"] = round(await by_issuer, 3)

        session = {"Cookie": f"{SESSION_COOKIE}={rig.cookie}"}
        page = (await one.get("/wallet/shares", headers=session)).text
        csrf = page.split('action="/wallet/shares/revoke-all"')[1].split('name="csrf" value="')[1].split('"')[0]
        one_id = await rig.owner_db.fetchval(
            "SELECT share_id FROM locker.share WHERE token_sha256 = $1", digest(links[-1].removeprefix("/s/"))
        )
        one_link = asyncio.create_task(seen(lambda: over_there(links[-1]), time.monotonic()))
        answer = await one.post(f"/wallet/shares/{one_id}/revoke", headers=session, data={"csrf": csrf})
        assert answer.status_code == 303, answer.text
        assert (await look(viewing[-1])).status_code == 404
        figures["one_s"] = round(await one_link, 3)

        by_citizen = asyncio.create_task(seen(lambda: over_there(links[0]), time.monotonic()))
        answer = await one.post("/wallet/shares/revoke-all", headers=session, data={"csrf": csrf})
        assert answer.status_code == 303, answer.text
        statuses = await asyncio.gather(*(other.post(link) for link in links), *(look(opened) for opened in viewing))
        assert {answer.status_code for answer in statuses} <= {404, 429}
        figures["all_s"] = round(await by_citizen, 3)
    with capsys.disabled():
        print(f"\nK-05 {figures}")
    assert await rig.owner_db.fetchval("SELECT count(*) FROM locker.share WHERE revoked_at IS NULL") == 0
    assert max(figures["issuer_s"], figures["one_s"], figures["all_s"]) < 1.0


async def test_no_fault_was_met_with_a_bare_500(rig: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\nF {msgspec.json.encode(rig.figures).decode()}")
    assert [line for node in rig.nodes for line in node.faults()] == []
