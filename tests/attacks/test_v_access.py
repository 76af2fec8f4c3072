"""Attack rows V: whose document it is, and in which pieces it is given."""

import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from kit.audit import Audit
from locker.administrations.schema import Names
from locker.catalogue.register_type import register_type
from locker.catalogue.schema import TypeRegistration
from tests.citizen_browser import CitizenWorld, open_citizen_world
from tests.locker_world import AMINA, BIRTH, LOCKER, SCHEMA, YOUSSEF

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(dsns: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CitizenWorld]:
    async with open_citizen_world(dsns, s3, tmp_path_factory.mktemp("locker")) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def original(place: CitizenWorld) -> tuple[str, bytes]:
    """Larger than some segments of the sealed format."""
    pdf = place.world.sealed(text="A" * 3_000)
    return await place.document(pdf=pdf), pdf


async def test_v_01_a_document_of_another_citizen_is_not_there_and_the_try_is_logged(
    place: CitizenWorld, original: tuple[str, bytes]
) -> None:
    document_id, _pdf = original
    youssef = await place.signed_in(YOUSSEF)
    for path in ("", "/original", "/pages/1.png"):
        answer = await youssef.get(f"/wallet/documents/{document_id}{path}")
        assert answer.status_code == 404
    for path in ("", "/original"):
        answer = await place.world.locker.get(
            f"/v1/documents/{document_id}{path}", headers=place.world.citizen(YOUSSEF)
        )
        assert answer.status_code == 404
    never = await place.world.locker.get(f"/v1/documents/{'0' * 25}", headers=place.world.citizen(YOUSSEF))
    assert never.json()["code"] == answer.json()["code"] == "document-unknown"
    rows = await place.world.rows(
        "SELECT actor, owner FROM locker.audit WHERE object_id = $1 AND result = 'document-unknown'", document_id
    )
    assert len(rows) == 4
    # In the history of who tried, never of whose it is.
    assert {row["owner"] for row in rows} == {place.world.subs[YOUSSEF]}
    shown = await youssef.get("/wallet/history")
    assert "Refusé" in shown.text
    assert f"/wallet/documents/{document_id}" not in shown.text


async def test_v_03_no_member_assigns_what_is_not_the_callers_to_say(
    place: CitizenWorld, original: tuple[str, bytes]
) -> None:
    document_id, _pdf = original
    body = {"documents": [document_id], "recipient": "R", "purpose": "P"}
    for member in ("owner", "citizen_id", "issuer_id", "status", "verified", "openings_used", "token_sha256"):
        answer = await place.world.locker.post("/v1/shares", headers=place.share_headers(), json={**body, member: "x"})
        assert answer.status_code == 422, member
    answer = await place.world.locker.patch(
        f"/v1/documents/{document_id}", headers=place.share_headers(), json={"owner": "x"}
    )
    assert answer.status_code == 405


async def test_v_07_a_token_without_the_scope_or_of_another_audience_opens_nothing(
    place: CitizenWorld, original: tuple[str, bytes]
) -> None:
    document_id, _pdf = original
    get, sub = place.world.locker.get, place.world.subs[AMINA]
    assert (await get(f"/v1/documents/{document_id}", headers=place.world.citizen(scope="openid"))).status_code == 403
    assert (await get(f"/v1/documents/{document_id}", headers=place.world.citizen(YOUSSEF))).status_code == 404
    assert (await get(f"/v1/documents/{document_id}", headers=place.world.machine())).status_code in (401, 403)
    assert (await get("/v1/documents")).status_code == 401
    read_only = {"documents": [document_id], "recipient": "R", "purpose": "P"}
    shared = await place.world.locker.post("/v1/shares", headers=place.world.citizen(), json=read_only)
    assert shared.status_code == 403
    foreign = place.provider.token(sub=sub, client_id="w", scope="documents:read", aud="https://other.example")
    assert (await get("/v1/documents", headers={"Authorization": f"Bearer {foreign}"})).status_code == 401
    revoked = place.provider.token(sub=sub, client_id="w", scope="documents:read")
    place.provider.revoked.add(revoked)
    assert (await get("/v1/documents", headers={"Authorization": f"Bearer {revoked}"})).status_code == 401


async def test_v_09_other_methods_have_no_effect(place: CitizenWorld, original: tuple[str, bytes]) -> None:
    document_id, pdf = original
    headers = place.share_headers()
    for method in ("PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"):
        answer = await place.world.locker.request(method, f"/v1/documents/{document_id}", headers=headers)
        assert answer.status_code == 405, method
    override = {**headers, "X-HTTP-Method-Override": "DELETE"}
    assert (await place.world.locker.post(f"/v1/documents/{document_id}", headers=override)).status_code == 405
    answer = await place.world.locker.get(f"/v1/documents/{document_id}/original", headers=override)
    assert answer.content == pdf


async def test_v_09_head_is_get_without_its_body_and_stands_in_the_history_as_it_does(
    place: CitizenWorld, original: tuple[str, bytes]
) -> None:
    document_id, _pdf = original
    path = f"/v1/documents/{document_id}/original"

    async def lines() -> list[tuple[str, str]]:
        sql = "SELECT action, result FROM locker.audit WHERE object_id = $1 ORDER BY at DESC"
        return [tuple(row) for row in await place.world.rows(sql, document_id)]

    before = await lines()
    got = await place.world.locker.get(path, headers=place.world.citizen())
    of_get = await lines()
    head = await place.world.locker.head(path, headers={**place.world.citizen(), "Range": "bytes=0-9"})
    assert (head.status_code, head.content) == (200, b"")
    own = {"x-request-id", "date"}
    assert {**head.headers, **dict.fromkeys(own, "")} == {**got.headers, **dict.fromkeys(own, "")}
    assert (len(await lines()) - len(of_get), (await lines())[0]) == (len(of_get) - len(before), of_get[0])
    of_another = await place.world.locker.head(path, headers=place.world.citizen(YOUSSEF))
    unknown = await place.world.locker.head(f"/v1/documents/{'0' * 25}/original", headers=place.world.citizen(YOUSSEF))
    assert (of_another.status_code, unknown.status_code) == (404, 404)
    assert {**of_another.headers, **dict.fromkeys(own, "")} == {**unknown.headers, **dict.fromkeys(own, "")}


async def test_v_11_a_changed_or_foreign_cursor_is_refused(place: CitizenWorld) -> None:
    for uid in (AMINA, YOUSSEF):
        for _ in range(3):
            await place.document(uid)
    get = place.world.locker.get
    first = (await get("/v1/documents?limit=2", headers=place.world.citizen())).json()
    cursor = first["next"]
    following = await get(f"/v1/documents?limit=2&after={cursor}", headers=place.world.citizen())
    assert following.status_code == 200
    assert not {d["document_id"] for d in following.json()["documents"]} & {
        d["document_id"] for d in first["documents"]
    }
    foreign = await get(f"/v1/documents?limit=2&after={cursor}", headers=place.world.citizen(YOUSSEF))
    other_list = await get(f"/v1/history?after={cursor}", headers=place.world.citizen())
    assert foreign.status_code == other_list.status_code == 400
    for position in range(len(cursor)):
        changed = cursor[:position] + ("A" if cursor[position] != "A" else "B") + cursor[position + 1 :]
        answer = await get(f"/v1/documents?after={changed}", headers=place.world.citizen())
        assert answer.status_code == 400, position
    for nonsense in ("", "x", "%00", "A" * 5_000):
        answer = await get(f"/v1/documents?after={nonsense}", headers=place.world.citizen())
        assert answer.status_code == (200 if not nonsense else 400)
    for limit in (0, -1, 101, 10**9, "x"):
        answer = await get(f"/v1/documents?limit={limit}", headers=place.world.citizen())
        assert answer.status_code in (400, 422)


@pytest.mark.parametrize("of", [(0, 0), (0, 99), (1_000, 1_999), (5, None), (None, 100), (0, 10**12)])
async def test_v_12_a_slice_equals_the_slice_of_the_whole(
    place: CitizenWorld, original: tuple[str, bytes], of: tuple[int | None, int | None]
) -> None:
    document_id, pdf = original
    first, last = of
    asked = f"bytes={'' if first is None else first}-{'' if last is None else last}"
    answer = await place.world.locker.get(
        f"/v1/documents/{document_id}/original", headers={**place.world.citizen(), "Range": asked}
    )
    wanted = pdf[-last:] if first is None and last else pdf[first : None if last is None else last + 1]
    assert answer.status_code == 206
    assert answer.content == wanted
    start = len(pdf) - len(wanted) if first is None else first
    assert answer.headers["content-range"] == f"bytes {start}-{start + len(wanted) - 1}/{len(pdf)}"
    assert int(answer.headers["content-length"]) == len(wanted)
    assert answer.headers["etag"].startswith('"')
    assert answer.headers["accept-ranges"] == "bytes"


async def test_v_13_odd_ranges_are_refused_or_the_whole(place: CitizenWorld, original: tuple[str, bytes]) -> None:
    document_id, pdf = original

    async def asked(field: str) -> int:
        answer = await place.world.locker.get(
            f"/v1/documents/{document_id}/original", headers={**place.world.citizen(), "Range": field}
        )
        if answer.status_code == 200:
            assert answer.content == pdf
        else:
            assert answer.json()["code"] == "range-not-satisfiable"
            assert answer.headers["content-range"] == f"bytes */{len(pdf)}"
        return answer.status_code

    assert await asked("bytes=" + ",".join(f"{n}-{n + 500}" for n in range(1_000))) == 200
    assert await asked("bytes=10-5") == 200
    assert await asked("items=0-5") == 200
    assert await asked("bytes=-") == 200
    assert await asked("bytes=a-b") == 200
    assert await asked(f"bytes={len(pdf)}-") == 416
    assert await asked("bytes=-0") == 416
    assert await asked("bytes=9999999999999999999-") == 416
    oversized = await place.world.locker.get(
        f"/v1/documents/{document_id}/original", headers={**place.world.citizen(), "Range": "bytes=-99999999"}
    )
    assert oversized.status_code == 206
    assert oversized.content == pdf


async def test_v_14_preconditions_by_the_bytes(place: CitizenWorld, original: tuple[str, bytes]) -> None:
    document_id, _pdf = original
    url, auth = f"/v1/documents/{document_id}/original", place.world.citizen()
    etag = (await place.world.locker.get(url, headers=auth)).headers["etag"]

    async def status(**headers: str) -> int:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = await place.world.locker.get(url, headers={**auth, **sent})
        assert answer.status_code != 412 or answer.json()["code"] == "document-changed"
        return answer.status_code

    assert await status(If_Match='"old"') == 412
    assert await status(If_Match=f"W/{etag}") == 412
    assert await status(If_Match=f'"old", {etag}') == 200
    assert await status(If_Match="*") == 200
    assert await status(If_None_Match=etag) == 304
    assert await status(If_None_Match=f"W/{etag}") == 304
    assert await status(If_None_Match='"old"') == 200
    assert await status(If_Range='"old"', Range="bytes=0-1") == 200
    assert await status(If_Range=etag, Range="bytes=0-1") == 206


async def test_v_15_an_object_that_is_gone_is_said_and_nothing_is_sent_in_its_place(place: CitizenWorld) -> None:
    pdf = place.world.sealed(text="gone")
    document_id = await place.document(pdf=pdf)
    [row] = await place.world.rows("SELECT object_key FROM locker.document WHERE document_id = $1", document_id)
    await place.world.wiring.vault.blobs.delete(row["object_key"])
    answer = await place.world.locker.get(f"/v1/documents/{document_id}/original", headers=place.world.citizen())
    assert (answer.status_code, answer.json()["code"]) == (502, "document-missing")
    assert row["object_key"] not in answer.text
    # What stands in the database is there.
    shown = await place.world.locker.get(f"/v1/documents/{document_id}", headers=place.world.citizen())
    assert shown.status_code == 200


async def test_v_22_what_is_not_a_pdf_is_never_shown_by_a_browser(
    place: CitizenWorld, original: tuple[str, bytes]
) -> None:
    evil = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>" * 4
    refused = await place.world.deposit(evil)
    assert refused.status_code in (415, 422)
    judged = await place.world.locker.post("/v1/verifications", files={"document": ("x.pdf", evil, "application/pdf")})
    assert judged.status_code == 200
    assert judged.json()["answer"]["signature"]["indication"] != "TOTAL-PASSED"
    document_id, _pdf = original
    answer = await place.world.locker.get(f"/v1/documents/{document_id}/original", headers=place.world.citizen())
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["cache-control"] == "private, no-store"


async def test_v_23_a_file_name_cannot_leave_its_header(place: CitizenWorld) -> None:
    evil = 'Extrait\r\nSet-Cookie: x=1"; filename=evil.exe\u202egpj.exe \u0627\u0644\u0639'
    await register_type(
        place.world.wiring.db,
        Audit("locker"),
        TypeRegistration(
            type=BIRTH,
            names=Names(ar=evil, fr=evil, zgh=evil, en=evil),
            category="civil-status",
            fields=SCHEMA,
        ),
        officer="test",
    )
    document_id = await place.document()
    for tag in ("ar", "fr", "zgh", "en"):
        citizen = await place.signed_in()
        answer = await citizen.get(f"/wallet/documents/{document_id}/original?lang={tag}")
        field = answer.headers["content-disposition"]
        assert "x" not in citizen.cookies
        assert field.isascii()
        assert field.count('"') == 2
        assert not set(field) & set("\r\n")
        assert "%E2%80%AE" not in field
        assert field.endswith(".pdf")
        assert "filename*=UTF-8''" in field


async def test_v_06_an_administration_never_reads_back_what_it_deposited(
    place: CitizenWorld, original: tuple[str, bytes]
) -> None:
    document_id, _pdf = original
    for path in (f"/v1/documents/{document_id}", f"/v1/documents/{document_id}/original"):
        answer = await place.world.locker.get(
            path, headers=place.world.machine(scope="documents:deposit documents:read")
        )
        assert answer.status_code in (401, 403, 404)


class SharedCache(httpx.AsyncBaseTransport):
    """Between everybody and the locker, as keen as a shared cache may be: what nothing forbids to keep is kept, and
    given to whoever asks next (RFC 9111 §3, §3.5, §4.1)."""

    def __init__(self, app: Any) -> None:
        self._inner = httpx.ASGITransport(app, raise_app_exceptions=False)
        self._kept: dict[tuple[str, ...], httpx.Response] = {}
        self._vary: dict[str, list[str]] = {}
        self.hits: list[str] = []

    def _key(self, request: httpx.Request) -> tuple[str, ...]:
        address = str(request.url)
        return (address, *(request.headers.get(name, "") for name in self._vary.get(address, [])))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET" and (kept := self._kept.get(self._key(request))) is not None:
            self.hits.append(request.url.path)
            return httpx.Response(kept.status_code, headers=kept.headers, content=kept.content)
        response = await self._inner.handle_async_request(request)
        await response.aread()
        control, vary = response.headers.get("cache-control", "").lower(), response.headers.get("vary", "")
        for_all = "authorization" not in request.headers or re.search(r"public|s-maxage|must-revalidate", control)
        if request.method == "GET" and for_all and not re.search(r"no-store|private", control) and vary != "*":
            self._vary[str(request.url)] = [name.strip() for name in vary.split(",") if name.strip()]
            self._kept[self._key(request)] = response
        return response


async def test_v_25_nothing_of_one_citizen_comes_to_another_out_of_a_shared_cache(
    place: CitizenWorld, original: tuple[str, bytes]
) -> None:
    document_id, _pdf = original
    _, link = await place.share(document_id)
    opened = (await place.open(link)).json()
    cache = SharedCache(place.app)
    pages = [
        "/",
        "/wallet",
        "/wallet/history",
        "/wallet/shares",
        "/wallet/uploads",
        "/wallet/export",
        "/wallet/erasure",
    ]
    pages += [f"/wallet/documents/{document_id}{part}" for part in ("", "/original", "/pages/1.png")]
    pages += ["/wallet/history/export.csv", "/wallet/history/export.jsonl", link, "/verify", "/nowhere", "/sign-in"]
    asked = ["/v1/documents", "/v1/shares", "/v1/history", "/v1/uploads", f"/v1/documents/{document_id}/original"]
    viewing = {"Authorization": f"Bearer {opened['viewing_token']}"}
    async with httpx.AsyncClient(transport=cache, base_url=LOCKER, timeout=60) as http:

        async def see(uid: str) -> dict[str, bytes]:
            cookies = (await place.signed_in(uid)).cookies
            cookie = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()), "Accept": "text/html"}
            seen = {path: (await http.get(path, headers=cookie)).content for path in pages}
            tokens = place.world.citizen(uid, scope="documents:read documents:share documents:upload")
            return seen | {path: (await http.get(path, headers=tokens)).content for path in asked}

        first = await see(AMINA)
        assert (await http.get(f"/o/{opened['opening_id']}", headers=viewing)).status_code == 200
        second = await see(YOUSSEF)
        assert (await http.get(f"/o/{opened['opening_id']}")).status_code in (401, 404)
        assert cache.hits == []
        assert first["/v1/documents"] != second["/v1/documents"]
        # What is everybody's it keeps.
        for _ in range(2):
            assert (await http.get("/log/key")).status_code == 200
        assert cache.hits == ["/log/key"]
