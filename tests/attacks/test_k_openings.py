"""Attack rows K once more: what is counted, written and refused around the one statement that opens."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from kit.tokens import new_token
from locker.shares import store
from locker.shares.caveats import CAVEATS_MAX
from locker.shares.settle_ended import settle_ended
from tests.citizen_browser import CitizenWorld, open_citizen_world
from tests.locker_world import AMINA, LOCKER, YOUSSEF
from tests.windows import in_one_window

pytestmark = pytest.mark.asyncio(loop_scope="module")

FIELDS = {"family_name": "Alaoui-Kettani", "birthdate": "1988-04-17"}
NUL = "%00"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(dsns: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CitizenWorld]:
    async with open_citizen_world(dsns, s3, tmp_path_factory.mktemp("locker")) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def document_id(place: CitizenWorld) -> str:
    return await place.document(fields=FIELDS)


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def counts_of_its_own(place: CitizenWorld) -> None:
    await place.world.owner_db.execute("DELETE FROM locker.throttle")


async def lines(place: CitizenWorld, share_id: str) -> list[tuple[str, str]]:
    rows = await place.world.rows("SELECT action, result FROM locker.audit WHERE object_id = $1 ORDER BY at", share_id)
    return [(row["action"], row["result"]) for row in rows]


async def used(place: CitizenWorld, share_id: str) -> int:
    [row] = await place.world.rows("SELECT openings_used FROM locker.share WHERE share_id = $1", share_id)
    return int(row["openings_used"])


async def create(place: CitizenWorld, document_id: str, **changes: Any) -> httpx.Response:
    body = {"documents": [document_id], "recipient": "R", "purpose": "P", **changes}
    return await place.world.locker.post("/v1/shares", headers=place.share_headers(), json=body)


async def counted_so_far(place: CitizenWorld, bucket: str, per_s: int, *, attempts: int) -> None:
    await place.world.owner_db.execute(
        """INSERT INTO locker.throttle (bucket, window_starts_at, attempts)
           VALUES ($1, to_timestamp(floor(extract(epoch FROM now()) / $2::int) * $2::int), $3)
           ON CONFLICT (bucket) DO UPDATE SET attempts = $3, window_starts_at = excluded.window_starts_at""",
        bucket,
        per_s,
        attempts,
    )


def bearer(opened: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {opened['viewing_token']}"}


async def test_k_03_whoever_loses_the_race_stands_in_the_history(place: CitizenWorld, document_id: str) -> None:
    share_id, path = await place.share(document_id, openings=1)
    answers = await asyncio.gather(*(place.open(path, f"198.51.100.{n}") for n in range(50)))
    assert sorted(answer.status_code for answer in answers) == [200] + [404] * 49
    assert len({answer.text.replace(answer.headers["x-request-id"], "-") for answer in answers if answer.status_code == 404}) == 1  # fmt: skip # noqa: E501
    seen = await lines(place, share_id)
    assert seen.count(("share.opened", "ok")) == 1
    assert seen.count(("share.refused", "share-closed")) == 49


async def test_k_07_head_shows_and_spends_nothing(place: CitizenWorld, document_id: str) -> None:
    share_id, path = await place.share(document_id)
    before = await lines(place, share_id)
    for method in ("HEAD", "GET"):
        answer = await place.world.locker.request(method, path, headers={"X-HTTP-Method-Override": "POST"})
        assert answer.status_code == 200
    assert await used(place, share_id) == 0
    assert await lines(place, share_id) == before
    over = await place.world.locker.head(f"/s/{new_token()}")
    assert (over.status_code, over.content) == (404, b"")


@pytest.mark.parametrize("method", ["OPTIONS", "PUT", "PATCH", "DELETE"])
async def test_k_07_no_other_method_opens(place: CitizenWorld, document_id: str, method: str) -> None:
    share_id, path = await place.share(document_id)
    answer = await place.world.locker.request(method, path, headers={"X-HTTP-Method-Override": "POST"})
    assert answer.status_code in (204, 405)
    assert await used(place, share_id) == 0


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Purpose": "prefetch;prerender"},
        {"Purpose": "prefetch"},
        {"Range": "bytes=0-10"},
        {"If-None-Match": "*"},
        {"If-Modified-Since": "Sat, 01 Jan 2000 00:00:00 GMT"},
    ],
)
async def test_k_07_a_prefetch_spends_nothing_and_nothing_is_kept(
    place: CitizenWorld, document_id: str, headers: dict[str, str]
) -> None:
    share_id, path = await place.share(document_id)
    shown = await place.browser().get(path, **headers)
    assert shown.status_code == 200
    assert (shown.headers["cache-control"], shown.headers["referrer-policy"]) == ("no-store", "no-referrer")
    assert "etag" not in shown.headers
    assert await used(place, share_id) == 0


async def test_k_01_a_body_that_is_no_form_of_ours_is_not_read(place: CitizenWorld, document_id: str) -> None:
    share_id, path = await place.share(document_id)
    for there in (path, f"/s/{new_token()}", "/code"):
        answer = await place.open(there, data={"pin": "1" * 20_000})
        assert answer.status_code == 413, there
    assert await used(place, share_id) == 0


async def test_k_01_a_form_in_another_encoding_is_malformed_and_no_fault(place: CitizenWorld, document_id: str) -> None:
    share_id, path = await place.share(document_id, pin="482913")
    headers = {"Content-Type": "multipart/form-data; boundary=a"}
    for more, value in ((b"", b"\xff"), (b"Content-Type: text/plain; charset=punycode\r\n", b"-" + b"b" * 900_000)):
        body = b'--a\r\nContent-Disposition: form-data; name="pin"\r\n%b\r\n%b\r\n--a--\r\n' % (more, value)
        for there in (path, "/code", "/p", "/verify/answer"):
            answer = await place.open(there, headers=headers, content=body)
            assert answer.status_code in (400, 413), (there, answer.text)
    assert await used(place, share_id) == 0


async def test_k_08_nothing_behind_a_link_is_cached_or_referred_to(place: CitizenWorld, document_id: str) -> None:
    _share_id, path = await place.share(document_id, fields={document_id: ["birthdate"]})
    opened = (await place.open(path)).json()
    base = f"/o/{opened['opening_id']}"
    for there in (base, f"{base}/receipt", f"{base}/{document_id}/credential", f"{base}/{document_id}/answer", "/code"):
        answer = await place.world.locker.get(there, headers=bearer(opened))
        assert answer.status_code == 200, there
        assert "no-store" in answer.headers["cache-control"], there
        assert answer.headers["referrer-policy"] == "no-referrer", there
    for over in (f"/s/{new_token()}", f"/o/{opened['opening_id']}"):
        refused = await place.browser().get(over)
        assert (refused.status_code, refused.headers["cache-control"]) == (404, "no-store")
        assert refused.headers["referrer-policy"] == "no-referrer"


async def test_a_verdict_that_an_earlier_version_wrote_has_an_answer_and_no_certificate(place: CitizenWorld) -> None:
    document_id = await place.document(pdf=place.world.sealed(text="judged long ago"))
    _share_id, path = await place.share(document_id, view_only=False)
    opened = (await place.open(path)).json()
    base = f"/o/{opened['opening_id']}/{document_id}"
    await place.world.rows("UPDATE locker.document SET verdict = '{}' WHERE document_id = $1", document_id)
    answer = await place.world.locker.get(f"{base}/certificate", headers=bearer(opened))
    assert (answer.status_code, answer.json()["code"]) == (404, "no-certificate")
    # What the sentence says to do goes.
    assert (await place.world.locker.get(f"{base}/answer", headers=bearer(opened))).status_code == 200


async def test_k_12_what_is_to_be_looked_at_is_downloaded_by_no_way(place: CitizenWorld, document_id: str) -> None:
    _share_id, path = await place.share(document_id, view_only=True)
    opened = (await place.open(path)).json()
    base = f"/o/{opened['opening_id']}/{document_id}"
    assert "original" not in str(opened["documents"][0]["pictures"])
    ways = ("", "/original", "/original?view_only=false", "/certificate", "/pages/1.pdf", "/pages/original", "/file")
    headers: list[dict[str, str]] = [{}, {"Accept": "application/pdf"}, {"Range": "bytes=0-99"}, {"If-None-Match": "x"}]
    for way in ways:
        for more in headers:
            answer = await place.world.locker.get(f"{base}{way}", headers={**bearer(opened), **more})
            assert answer.status_code in (400, 403, 404), (way, more)
            assert b"%PDF" not in answer.content, (way, more)
        assert (await place.world.locker.head(f"{base}{way}", headers=bearer(opened))).status_code >= 400
    # Also in another opening's name: the secret of one share's opening opens none of another.
    _share_id, other = await place.share(document_id, view_only=False)
    whole = (await place.open(other)).json()
    assert (await place.world.locker.get(f"{base}/original", headers=bearer(whole))).status_code == 404


async def test_k_14_a_citizens_token_is_not_the_relying_partys_own(place: CitizenWorld, document_id: str) -> None:
    """Everybody who uses an app holds a token with its client_id."""
    share_id, path = await place.share(document_id, client_id="wallet-x")
    token = place.provider.token(sub=place.world.subs[YOUSSEF], client_id="wallet-x", scope="documents:read")
    answer = await place.open(path, headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.json()["code"]) == (403, "not-for-you")
    assert await used(place, share_id) == 0
    # And where nobody is named, it does not say that the service was there.
    free_id, free = await place.share(document_id)
    assert (await place.open(free, headers={"Authorization": f"Bearer {token}"})).status_code == 200
    [row] = await place.world.rows(
        "SELECT actor_kind, actor FROM locker.audit WHERE object_id = $1 AND action = 'share.opened'", free_id
    )
    assert (row["actor_kind"], row["actor"]) == ("anonymous", "")


async def test_k_14_refusals_fill_nobodys_history_and_the_service_gets_in(
    place: CitizenWorld, document_id: str
) -> None:
    share_id, path = await place.share(document_id, client_id="bank-x")

    async def tries(number: int) -> list[int]:
        answers = await asyncio.gather(*(place.open(path, f"203.0.113.{number}") for _ in range(40)))
        return sorted(answer.status_code for answer in answers)

    assert await in_one_window(60, tries) == [403] * 30 + [429] * 10
    assert len([line for line in await lines(place, share_id) if line[1] == "not-for-you"]) in (30, 60)
    own = place.provider.token(sub="bank-x", client_id="bank-x", scope="")
    for number in range(2):
        opened = await place.open(path, f"203.0.113.{number}", headers={"Authorization": f"Bearer {own}"})
        assert opened.status_code == 200


async def test_k_03_downloads_of_an_opening_are_bounded(place: CitizenWorld, document_id: str) -> None:
    share_id, path = await place.share(document_id, view_only=False, openings=5)

    async def takes(_number: int) -> list[int]:
        opened = (await place.open(path)).json()
        await counted_so_far(place, f"share-download:{opened['opening_id']}", 60, attempts=57)
        there = f"/o/{opened['opening_id']}/{document_id}/original"
        headers = {**bearer(opened), "Range": "bytes=0-0"}
        return [(await place.world.locker.get(there, headers=headers)).status_code for _ in range(5)]

    assert await in_one_window(60, takes) == [206] * 3 + [429] * 2
    assert len([line for line in await lines(place, share_id) if line[0] == "share.downloaded"]) in (3, 6)


async def test_k_03_one_opening_does_not_keep_the_workers_busy(place: CitizenWorld, document_id: str) -> None:
    _share_id, path = await place.share(document_id)
    _share_id, other = await place.share(document_id)

    async def looks(_number: int) -> list[int]:
        opened, elsewhere = [(await place.open(link)).json() for link in (path, other)]
        await counted_so_far(place, f"share-pictures:{opened['opening_id']}", 60, attempts=299)
        there = f"/o/{opened['opening_id']}/{document_id}/pages/none"
        tries = [(await place.world.locker.get(there, headers=bearer(opened))).status_code for _ in range(2)]
        free = f"/o/{elsewhere['opening_id']}/{document_id}/pages/none"
        return [*tries, (await place.world.locker.get(free, headers=bearer(elsewhere))).status_code]

    # Counted before anything is drawn; a name of no picture spares the drawing here.
    assert await in_one_window(60, looks) == [404, 429, 404]


@pytest.mark.parametrize(
    "changes",
    [
        {"recipient": "\u202e\u0007"},
        {"recipient": "\u200b\u200f"},
        {"purpose": "\r\n"},
        {"until": "0001-01-01T00:00:00+14:00"},
        {"until": "9999-12-31T23:59:59-14:00"},
        {"client_id": "a\u0000b"},
        {"client_id": "بنك"},
        {"uploads": ["0" * 24 + "\u0000"]},
    ],
)
async def test_k_18_what_cannot_be_is_refused_and_no_fault(
    place: CitizenWorld, document_id: str, changes: dict[str, Any]
) -> None:
    answer = await create(place, document_id, **changes)
    assert answer.status_code == 422, answer.text


@pytest.mark.parametrize("recipient", [b'"\\ud800"', b'"\xed\xa0\x80"', b'"\xff\xfe"', b'"a\x00"'])
async def test_k_18_a_body_that_is_no_utf_8_is_malformed_and_no_fault(
    place: CitizenWorld, document_id: str, recipient: bytes
) -> None:
    body = b'{"documents": ["%b"], "recipient": %b, "purpose": "P"}' % (document_id.encode(), recipient)
    headers = {**place.share_headers(), "Content-Type": "application/json"}
    answer = await place.world.locker.post("/v1/shares", headers=headers, content=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


async def test_k_18_a_moment_that_utc_cannot_say_narrows_nothing(place: CitizenWorld, document_id: str) -> None:
    share_id, _path = await place.share(document_id)
    for until in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"):
        answer = await place.world.locker.patch(
            f"/v1/shares/{share_id}", headers=place.share_headers(), json={"until": until}
        )
        assert answer.status_code == 422, answer.text


async def test_k_18_a_share_is_narrowed_so_often_and_no_more(place: CitizenWorld, document_id: str) -> None:
    share_id, _path = await place.share(document_id, openings=5)
    first = dt.datetime.now(dt.UTC) + dt.timedelta(days=6)

    async def narrow(**changes: Any) -> httpx.Response:
        return await place.world.locker.patch(f"/v1/shares/{share_id}", headers=place.share_headers(), json=changes)

    before = len((await narrow(openings=4)).json()["caveats"])
    # What says nothing new adds nothing.
    assert len((await narrow(openings=4)).json()["caveats"]) == before
    await place.world.owner_db.execute(
        """UPDATE locker.share SET caveats = caveats || (SELECT jsonb_agg('{"type": "openings", "max": 5}'::jsonb)
                                                           FROM generate_series(1, $2::int)) WHERE share_id = $1""",
        share_id,
        CAVEATS_MAX - 2 - before,
    )
    answers = [await narrow(until=(first - dt.timedelta(seconds=n)).isoformat()) for n in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 422]


async def test_k_20_a_nul_in_a_path_or_a_form_is_no_fault(place: CitizenWorld, document_id: str) -> None:
    _share_id, path = await place.share(document_id)
    opened = (await place.open(path)).json()
    get = place.world.locker.get
    citizen = await place.signed_in()
    for there in (
        f"/s/{NUL}",
        f"/s/{'a' * 42}{NUL}",
        f"/o/{'0' * 24}{NUL}",
        f"/o/{opened['opening_id']}/{NUL}/answer",
        f"/o/{opened['opening_id']}/uploads/{NUL}/file",
        f"/credentials/{NUL}/status",
        f"/credentials/types/{NUL}",
    ):
        assert (await get(there, headers=bearer(opened))).status_code in (400, 404), there
    assert (await get(f"/v1/shares/{NUL}", headers=place.share_headers())).status_code in (400, 404)
    deleted = await place.world.locker.delete(f"/v1/shares/{NUL}", headers=place.share_headers())
    assert deleted.status_code in (400, 404)
    for there in (
        f"/wallet/shares/{NUL}",
        f"/wallet/shares/{NUL}/qr.svg",
        f"/wallet/shares/{NUL}/openings/{NUL}/receipt",
        f"/wallet/shares/new/{NUL}/check",
        f"/wallet/shares/new/{NUL}/fields",
    ):
        assert (await citizen.get(there)).status_code in (400, 404), there
    step = await citizen.submit(await citizen.get("/wallet/shares/new"), document=["\x00"])
    assert step.status_code in (400, 404, 422), step.text
    assert (await place.open("/code", json={"code": "1" * 11 + "\u0000"})).status_code == 404
    pinned = (await create(place, document_id, pin="482913\n")).json()["url"].removeprefix(LOCKER)
    assert (await place.open(pinned, json={"pin": "48291\u0000"})).status_code == 403
    assert (await place.open(pinned, json={"pin": "482913"})).status_code == 200


async def test_k_10_one_provider_has_few_pins_and_the_reader_gets_in(place: CitizenWorld, document_id: str) -> None:
    """A /48 has 65,536 of the prefixes that count as one prober."""
    _share_id, path = await place.share(document_id, pin="482913")

    async def tries(number: int) -> list[int]:
        net = f"2001:db8:{1 + number}"
        return [(await place.open(path, f"{net}:{n:x}::1", json={"pin": f"{n:06d}"})).status_code for n in range(30)]

    assert await in_one_window(86_400, tries) == [403] * 24 + [429] * 6
    assert (await place.open(path, "2001:db8:ff::1", json={"pin": "482913"})).status_code == 200


async def test_k_10_guesses_from_many_places_get_fewer_each_and_the_reader_still_gets_in(
    place: CitizenWorld, document_id: str
) -> None:
    share_id, path = await place.share(document_id, pin="482913", openings=9)
    reader = place.browser("203.0.113.77")
    assert (await reader.submit(await reader.get(path), pin="482913")).status_code == 303

    async def guesses(number: int) -> list[list[int]]:
        # A hundred wrong PINs from everywhere, as the count has them.
        await counted_so_far(place, f"share-pin-link:{share_id}", 86_400, attempts=100)
        places = [f"10.{number}.{n}.1" for n in range(3)]
        return [
            [(await place.open(path, address, json={"pin": f"00000{n}"})).status_code for n in range(4)]
            for address in places
        ]

    assert await in_one_window(86_400, guesses) == [[403, 403, 429, 429]] * 3
    # With the right PIN at hand one comes in from anywhere, and a browser that opened it before is not counted there.
    stranger = place.browser("192.0.2.200")
    assert (await stranger.submit(await stranger.get(path), pin="482913")).status_code == 303
    assert (await stranger.submit(await stranger.get(path), pin="482913")).status_code == 303
    assert (await reader.submit(await reader.get(path), pin="000000")).status_code == 403
    assert (await reader.submit(await reader.get(path), pin="482913")).status_code == 303


async def test_k_05_ending_one_forgets_what_its_openers_could_unwrap(place: CitizenWorld, document_id: str) -> None:
    share_id, path = await place.share(document_id, fields={document_id: ["birthdate"]})
    opened = (await place.open(path)).json()
    assert (await place.world.locker.delete(f"/v1/shares/{share_id}", headers=place.share_headers())).is_success
    [row] = await place.world.rows(
        "SELECT s.key_wrapped AS share, o.key_wrapped AS opening, sd.credential_sealed AS sealed FROM locker.share s"
        " JOIN locker.share_document sd USING (owner, share_id)"
        " JOIN locker.opening o USING (owner, share_id) WHERE o.opening_id = $1",
        opened["opening_id"],
    )
    assert (row["share"], row["opening"], row["sealed"]) == (None, None, None)


async def test_k_05_all_links_end_by_one_row_and_those_made_after_live(place: CitizenWorld, document_id: str) -> None:
    own = await place.document(YOUSSEF, fields=FIELDS)
    owner, headers, db = place.world.subs[YOUSSEF], place.share_headers(YOUSSEF), place.world.wiring.db
    _id, neighbours = await place.share(document_id)
    shares = [await place.share(own, uid=YOUSSEF, fields={own: ["birthdate"]}) for _ in range(3)]
    opened = (await place.open(shares[0][1])).json()
    assert opened["documents"][0]["credential"]

    async def is_over() -> None:
        for _share_id, path in shares:
            assert (await place.open(path)).status_code == 404
        assert (await place.world.locker.get(f"/o/{opened['opening_id']}", headers=bearer(opened))).status_code == 404
        listed = (await place.world.locker.get("/v1/shares?live=false", headers=headers)).json()["shares"]
        assert [(share["live"], share["revoked_at"] is None) for share in listed] == [(False, False)] * 3

    # A process that dies after the one row: all is over, and the sweep brings their rows in line.
    assert await store.end_all(db, owner=owner) == (3, [])
    await is_over()
    kept = "SELECT count(*) AS n FROM locker.share WHERE owner = $1 AND key_wrapped IS NOT NULL"
    assert (await place.world.rows(kept, owner))[0]["n"] == 3
    await settle_ended(db)
    await is_over()
    rows = await place.world.rows(
        "SELECT s.revoked_at, s.key_wrapped, o.key_wrapped AS opener, sd.credential_sealed AS sealed"
        " FROM locker.share s JOIN locker.share_document sd USING (owner, share_id)"
        " LEFT JOIN locker.opening o USING (owner, share_id) WHERE owner = $1",
        owner,
    )
    assert all(row["revoked_at"] for row in rows)
    assert {(row["key_wrapped"], row["opener"], row["sealed"]) for row in rows} == {(None, None, None)}
    assert await store.unsettled(db, limit=9) == []

    # Who shares again shares, and nobody else's link ended.
    _share_id, fresh = await place.share(own, uid=YOUSSEF)
    bound_id, _path = await place.share(own, uid=YOUSSEF, client_id="bank-x")
    assert (await place.open(fresh)).status_code == 200
    assert (await place.open(neighbours)).status_code == 200
    citizen = await place.signed_in(YOUSSEF)
    csrf = (await citizen.get("/wallet/shares")).text.split('name="csrf" value="')[1].split('"')[0]
    assert (await citizen.post("/wallet/shares/revoke-all", {"csrf": csrf})).status_code == 303
    assert (await place.open(fresh)).status_code == 404
    [line] = await place.world.rows(
        "SELECT detail FROM locker.audit WHERE action = 'share.all-ended' AND owner = $1", owner
    )
    assert line["detail"] == {"links": 2}
    # Of those that were for one service, it is told.
    told = await place.world.rows("SELECT body FROM locker.outbox WHERE owner = $1 AND topic = 'share.revoked'", owner)
    assert [row["body"] for row in told] == [{"share_ids": [bound_id]}]
    assert "Ended all shared links" in (await citizen.get("/wallet/history?of=shares&lang=en")).text


async def test_k_05_who_began_to_end_all_before_and_comes_later_brings_nothing_back(
    place: CitizenWorld, document_id: str
) -> None:
    owner, db = place.world.subs[AMINA], place.world.wiring.db
    async with db.transaction() as slow:
        # A server that stood still in the middle, and one that died after its row.
        await slow.fetchval("SELECT now()")
        _share_id, path = await place.share(document_id)
        await store.end_all(db, owner=owner)
        assert (await place.open(path)).status_code == 404
        await store.end_all(slow, owner=owner)
    assert (await place.open(path)).status_code == 404
