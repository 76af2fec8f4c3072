"""Only some fields: what the link reaches is a credential that an independent library verifies, and nothing else."""

import base64
import datetime as dt
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from jwcrypto.jwk import JWK
from jwcrypto.jws import InvalidJWSSignature
from sd_jwt.verifier import SDJWTVerifier

from locker.shares.forget_keys import forget_keys
from tests.citizen_browser import CitizenWorld, open_citizen_world
from tests.locker_world import AMINA, BIRTH, LOCKER
from tests.windows import in_one_window

pytestmark = pytest.mark.asyncio(loop_scope="module")

FIELDS = {"family_name": "Alaoui-Kettani", "birthdate": "1988-04-17", "record_number": "41/1988"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(dsns: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CitizenWorld]:
    async with open_citizen_world(dsns, s3, tmp_path_factory.mktemp("locker")) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def document_id(place: CitizenWorld) -> str:
    return await place.document(fields=FIELDS)


async def opened(place: CitizenWorld, path: str) -> dict[str, Any]:
    answer = await place.open(path)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def verified(place: CitizenWorld, credential: str) -> dict[str, Any]:
    """As a stranger does it: keys by the issuer's metadata, the reference library for the rest."""
    get = place.world.locker.get
    metadata = (await get("/.well-known/jwt-vc-issuer")).json()
    assert metadata["issuer"] == LOCKER
    [key] = (await get(metadata["jwks_uri"].removeprefix(LOCKER))).json()["keys"]

    def issuers_key(issuer: str, header: dict[str, Any]) -> JWK:
        assert issuer == LOCKER
        assert header["typ"] == "dc+sd-jwt"
        assert header["kid"] == key["kid"]
        return JWK(**key)

    payload: dict[str, Any] = SDJWTVerifier(credential, issuers_key).get_verified_payload()
    return payload


async def test_the_reference_library_verifies_what_was_shared_and_sees_nothing_else(
    place: CitizenWorld, document_id: str
) -> None:
    _share_id, path = await place.share(document_id, fields={document_id: ["family_name"]})
    message = await opened(place, path)
    [document] = message["documents"]
    assert document["pictures"] == []
    assert document["original"] is None
    payload = await verified(place, document["credential"])
    assert payload["fields"] == {"family_name": FIELDS["family_name"]}
    assert payload["vct"] == f"{LOCKER}/credentials/types/{BIRTH}"
    assert payload["document"]["type"] == BIRTH
    assert payload["recipient"] == "Banque X"
    assert payload["exp"] > payload["iat"]
    for hidden in ("1988-04-17", "41/1988", "birthdate", "record_number", AMINA):
        assert hidden not in document["credential"]
        assert hidden not in json.dumps(payload)
    described = (await place.world.locker.get(payload["vct"].removeprefix(LOCKER))).json()
    assert described["vct"] == payload["vct"]
    assert ["fields", "family_name"] in [claim["path"] for claim in described["claims"]]


async def test_a_changed_credential_and_a_foreign_disclosure_do_not_verify(
    place: CitizenWorld, document_id: str
) -> None:
    _share_id, path = await place.share(document_id, fields={document_id: ["family_name"]})
    credential = (await opened(place, path))["documents"][0]["credential"]
    _share_id, path = await place.share(document_id, fields={document_id: ["birthdate"]})
    other = (await opened(place, path))["documents"][0]["credential"]
    assert set(credential.split("~")) & set(other.split("~")) == {""}
    # RFC 9901 §7.1 wants a disclosure that no digest names refused; the library passes over it.
    payload = await verified(place, credential + other.split("~")[1] + "~")
    assert payload["fields"] == {"family_name": FIELDS["family_name"]}
    signed, rest = credential.split("~", 1)
    head, body, signature = signed.split(".")
    with pytest.raises(InvalidJWSSignature):
        await verified(place, f"{head}.{body}.{signature[::-1]}~{rest}")


async def test_what_is_signed_hides_how_many_fields_there_are_and_which_came_first(
    place: CitizenWorld, document_id: str
) -> None:
    """RFC 9901 §4.2.4.1 and §4.2.5; what must stand in the open: draft-ietf-oauth-sd-jwt-vc §2.2.2.3."""
    fewer = await place.document(fields={"family_name": "Alaoui"})
    salts = set()
    for held in (document_id, document_id, fewer):
        _share_id, path = await place.share(held, fields={held: ["family_name"]}, client_id=None)
        signed, disclosure, end = (await opened(place, path))["documents"][0]["credential"].split("~")
        assert end == ""
        header, payload = (decoded(part) for part in signed.split(".")[:2])
        assert header == {"alg": "ES256", "typ": "dc+sd-jwt", "kid": header["kid"]}
        digests = payload["fields"]["_sd"]
        assert (len(digests), len(set(digests)), digests) == (8, 8, sorted(digests))
        assert {len(digest) for digest in digests} == {43}
        assert payload["_sd_alg"] == "sha-256"
        assert set(payload) == {"iss", "iat", "exp", "jti", "vct", "status", "document", "recipient", "purpose", "_sd_alg", "fields"}  # fmt: skip # noqa: E501
        salt, name, _value = decoded(disclosure)
        assert (name, len(salt)) == ("family_name", 22)
        salts.add(salt)
    assert len(salts) == 3


def decoded(part: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


async def test_a_dump_of_everything_shows_no_hidden_value_no_salt_and_no_shared_one(
    place: CitizenWorld, document_id: str
) -> None:
    share_id, path = await place.share(document_id, fields={document_id: ["family_name"]})
    message = await opened(place, path)
    credential = message["documents"][0]["credential"]
    disclosure = credential.split("~")[1]
    dumped = ""
    for table in ("share", "share_document", "opening", "audit"):
        for row in await place.world.rows(f"SELECT t::text AS t FROM locker.{table} t"):
            dumped += row["t"]
        # bytea as text too, should a sealed column be none.
    raw = await place.world.rows("SELECT credential_sealed, key_wrapped FROM locker.share_document JOIN locker.share USING (owner, share_id) WHERE share_id = $1", share_id)  # fmt: skip # noqa: E501
    sealed = b"".join(row["credential_sealed"] + row["key_wrapped"] for row in raw)
    for value in (*FIELDS.values(), disclosure, credential):
        assert value not in dumped
        assert value.encode() not in sealed
        assert value.encode().hex() not in dumped
    # The token's digest, which the table holds, is not the key.
    assert path.removeprefix("/s/") not in dumped


async def test_nothing_whole_of_the_document_is_reached(place: CitizenWorld, document_id: str) -> None:
    whole = await place.document(fields=FIELDS)
    _share_id, path = await place.share(document_id, whole, fields={document_id: ["birthdate"]}, view_only=False)
    message = await opened(place, path)
    bearer = {"Authorization": f"Bearer {message['viewing_token']}"}
    base = f"/o/{message['opening_id']}"
    get = place.world.locker.get
    for what in ("pages/1.png", "original", "report", "certificate"):
        answer = await get(f"{base}/{document_id}/{what}", headers=bearer)
        assert (answer.status_code, answer.json()["code"]) == (403, "fields-only")
        assert (await get(f"{base}/{whole}/{what}", headers=bearer)).status_code in (200, 404)
    assert (await get(f"{base}/{document_id}/answer", headers=bearer)).status_code == 200
    taken = await get(f"{base}/{document_id}/credential", headers=bearer)
    assert taken.headers["content-type"].startswith("application/dc+sd-jwt")
    assert taken.text == message["documents"][0]["credential"]
    assert (await get(f"{base}/{whole}/credential", headers=bearer)).status_code == 404
    assert (await get(f"{base}/{document_id}/credential")).status_code == 404


@pytest.mark.parametrize("names", [["no_such"], ["family_name", "_sd"], []])
async def test_fields_that_are_not_there_make_no_share(place: CitizenWorld, document_id: str, names: list[str]) -> None:
    body = {"documents": [document_id], "fields": {document_id: names}, "recipient": "R", "purpose": "P"}
    answer = await place.world.locker.post("/v1/shares", headers=place.share_headers(), json=body)
    assert answer.status_code == 422, answer.text


async def test_fields_of_a_document_that_is_not_shared_are_refused(place: CitizenWorld, document_id: str) -> None:
    other = await place.document(fields=FIELDS)
    body = {"documents": [document_id], "fields": {other: ["birthdate"]}, "recipient": "R", "purpose": "P"}
    answer = await place.world.locker.post("/v1/shares", headers=place.share_headers(), json=body)
    assert answer.status_code == 422, answer.text


async def status(place: CitizenWorld, payload: dict[str, Any]) -> httpx.Response:
    uri: str = payload["status"]["khizana_credential"]["uri"]
    return await place.world.locker.get(uri.removeprefix(LOCKER))


@pytest.mark.parametrize("last_day", ["9999-12-31", "2999-12-31"])
async def test_fields_of_a_document_that_holds_for_ever_are_shared_until_the_share_ends(
    place: CitizenWorld, last_day: str
) -> None:
    """Administrations write the last day of the calendar where a document has no end."""
    held = await place.document(fields=FIELDS, valid_until=last_day)
    share_id, path = await place.share(held, fields={held: ["family_name"]})
    payload = await verified(place, (await opened(place, path))["documents"][0]["credential"])
    share = (await place.world.locker.get(f"/v1/shares/{share_id}", headers=place.share_headers())).json()
    assert payload["document"]["valid_until"] == last_day
    assert payload["exp"] == int(dt.datetime.fromisoformat(share["until"]).timestamp())


async def test_k_15_the_status_of_a_credential_follows_its_document_and_its_share(place: CitizenWorld) -> None:
    document_id = await place.document(fields=FIELDS)
    share_id, path = await place.share(document_id, fields={document_id: ["birthdate"]})
    first = await opened(place, path)
    payload = await verified(place, first["documents"][0]["credential"])
    assert (await status(place, payload)).json() == {
        "credential_id": payload["jti"],
        "shared": True,
        "standing": "valid",
    }
    revoked = await place.world.locker.post(
        f"/v1/documents/{document_id}/revoke",
        headers={**place.world.machine(), "Idempotency-Key": f"k15-{document_id}"},
        json={"reason": "issued-in-error"},
    )
    assert revoked.status_code == 200, revoked.text
    assert (await status(place, payload)).json()["standing"] == "revoked"
    bearer = {"Authorization": f"Bearer {first['viewing_token']}"}
    [now] = (await place.world.locker.get(f"/o/{first['opening_id']}", headers=bearer)).json()["documents"]
    assert now["answer"]["standing"] == "revoked"
    assert now["credential"] is None
    assert (
        await place.world.locker.get(f"/o/{first['opening_id']}/{document_id}/credential", headers=bearer)
    ).status_code == 403
    stranger = place.browser()
    landed = await stranger.submit(await stranger.get(path))
    page = await stranger.get(f"{landed.headers['location']}?lang=en")
    assert "revoked" in page.text
    assert "tone-good" not in page.text
    assert FIELDS["birthdate"] not in page.text

    await place.world.locker.delete(f"/v1/shares/{share_id}", headers=place.share_headers())
    over = (await status(place, payload)).json()
    assert (over["shared"], over["standing"]) == (False, None)
    [row] = await place.world.rows("SELECT key_wrapped FROM locker.share WHERE share_id = $1", share_id)
    assert row["key_wrapped"] is None
    for unknown, code in (
        ("0000000000000000000000000/status", "credential-unknown"),
        ("x/status", "credential-unknown"),
        ("types/NOSUCHTYPE", "type-unknown"),
    ):
        answer = await place.world.locker.get(f"/credentials/{unknown}")
        assert (answer.status_code, answer.json()["code"]) == (404, code)


async def test_whoever_holds_a_credential_cannot_fill_the_history(place: CitizenWorld, document_id: str) -> None:
    _share_id, path = await place.share(document_id, fields={document_id: ["birthdate"]})
    payload = await verified(place, (await opened(place, path))["documents"][0]["credential"])

    async def asks(_number: int) -> int:
        await place.world.owner_db.execute(
            """INSERT INTO locker.throttle (bucket, window_starts_at, attempts)
               VALUES ($1, to_timestamp(floor(extract(epoch FROM now()) / 3600) * 3600), 58)
               ON CONFLICT (bucket) DO UPDATE SET attempts = 58, window_starts_at = excluded.window_starts_at""",
            f"credential-asked:{payload['jti']}",
        )
        before = await place.world.rows("SELECT count(*) AS n FROM locker.audit WHERE action = 'share.checked'")
        for _ in range(5):
            assert (await status(place, payload)).json()["shared"] is True
        after = await place.world.rows("SELECT count(*) AS n FROM locker.audit WHERE action = 'share.checked'")
        return int(after[0]["n"] - before[0]["n"])

    assert await in_one_window(3_600, asks) == 2


async def test_a_superseded_document_is_named_so_and_its_credential_stays_what_it_was(place: CitizenWorld) -> None:
    old = await place.document(fields=FIELDS)
    share_id, path = await place.share(old, fields={old: ["birthdate"]})
    before = await opened(place, path)
    new = await place.document(fields={**FIELDS, "birthdate": "1988-04-18"}, replaces=old)
    after = await opened(place, path)
    [document] = after["documents"]
    assert document["answer"]["standing"] == "superseded"
    assert document["credential"] == before["documents"][0]["credential"]
    payload = await verified(place, document["credential"])
    assert payload["fields"] == {"birthdate": FIELDS["birthdate"]}
    assert (await status(place, payload)).json()["standing"] == "superseded"
    # The link reaches the version that was shared, and no later one.
    bearer = {"Authorization": f"Bearer {after['viewing_token']}"}
    there = f"/o/{after['opening_id']}/{new}/credential"
    assert (await place.world.locker.get(there, headers=bearer)).status_code == 404
    assert new not in json.dumps(after)
    # Nobody opens it after its citizen ended it, though the link's own bytes would: nothing is there to be opened.
    await place.world.locker.delete(f"/v1/shares/{share_id}", headers=place.share_headers())
    [row] = await place.world.rows("SELECT credential_sealed FROM locker.share_document WHERE share_id = $1", share_id)
    assert row["credential_sealed"] is None


async def test_the_sweep_forgets_keys_of_what_may_not_be_looked_at_any_more(
    place: CitizenWorld, document_id: str
) -> None:
    over_id, over = await place.share(document_id, fields={document_id: ["birthdate"]})
    living_id, living = await place.share(document_id, fields={document_id: ["birthdate"]})
    for path in (over, living):
        await opened(place, path)
    await place.world.owner_db.execute(
        "UPDATE locker.share SET until = now() - interval '1 second' WHERE share_id = $1", over_id
    )
    await place.world.owner_db.execute(
        "UPDATE locker.opening SET view_until = now() - interval '1 second' WHERE share_id = $1", over_id
    )
    await forget_keys(place.world.wiring.db)
    rows = await place.world.rows(
        """SELECT share_id, s.key_wrapped IS NULL AS share, o.key_wrapped IS NULL AS opening
             FROM locker.share s JOIN locker.opening o USING (owner, share_id) WHERE share_id = ANY ($1::text[])""",
        [over_id, living_id],
    )
    found = {row["share_id"]: (row["share"], row["opening"]) for row in rows}
    assert found == {over_id: (True, True), living_id: (False, False)}


async def test_k_07_a_robot_at_a_link_of_fields_sees_no_field_and_spends_nothing(
    place: CitizenWorld, document_id: str
) -> None:
    share_id, path = await place.share(document_id, fields={document_id: ["birthdate"]})
    for address in (path, "/code"):
        shown = await place.browser().get(address, **{"User-Agent": "WhatsApp/2.23"})
        assert shown.status_code == 200
        for private in (*FIELDS, *FIELDS.values(), BIRTH, "Banque X"):
            assert private not in shown.text
    [row] = await place.world.rows("SELECT openings_used FROM locker.share WHERE share_id = $1", share_id)
    assert row["openings_used"] == 0


async def test_a_citizen_chooses_fields_on_the_pages_and_a_stranger_reads_them(
    place: CitizenWorld, document_id: str
) -> None:
    citizen = await place.signed_in()
    step = await citizen.submit(await citizen.get("/wallet/shares/new"), document=[document_id])
    step = await citizen.submit(await citizen.get(step.headers["location"]), recipient="Bibliothèque", purpose="Carte")
    step = await citizen.submit(await citizen.get(step.headers["location"]), days="7", openings="3")
    check = step.headers["location"]
    fields = await citizen.get(check.replace("/check", "/fields"))
    assert FIELDS["birthdate"] in fields.text
    step = await citizen.submit(fields, **{f"fields-{document_id}": ["birthdate"]})
    assert step.headers["location"] == check
    made = await citizen.submit(await citizen.get(check))
    assert made.status_code == 303, made.text
    share = await citizen.get(made.headers["location"])
    link = share.text.split('value="' + LOCKER)[1].split('"')[0]

    stranger = place.browser("198.51.100.7")
    landed = await stranger.submit(await stranger.get(link))
    page = await stranger.get(landed.headers["location"])
    assert FIELDS["birthdate"] in page.text
    assert FIELDS["record_number"] not in page.text
    assert FIELDS["family_name"] not in page.text
    assert "/pages/" not in page.text
