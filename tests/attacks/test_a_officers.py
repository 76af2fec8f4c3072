"""Attack group A at officers: two of them for what weighs most, a reason for every look, and nothing to steal."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from idp.officers.add import add, disable
from idp.officers.authenticate import sign
from kit.jose import SigningKey, unverified_claims
from tests.provider import ISSUER, Provider

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class Agent:
    """An officer at their own desk."""

    idp: Provider
    officer_id: str
    key: SigningKey = field(default_factory=lambda: SigningKey.generate("ES256"))

    async def send(self, method: str, path: str, body: Any = None, **changed: Any) -> httpx.Response:
        content = b"" if body is None else json.dumps(body).encode()
        header = sign(
            changed.pop("key", self.key),
            **{
                "officer_id": self.officer_id,
                "issuer": ISSUER,
                "method": method,
                "path": path,
                "body": content,
                **changed,
            },
        )
        return await self.idp.http.request(method, f"/idp{path}", content=content, headers={"Authorization": header})


_numbers = iter(range(1_000))


async def agent(idp: Provider, *abilities: Any) -> Agent:
    found = Agent(idp, f"agent-{next(_numbers)}")
    await add(
        idp.wiring.db,
        idp.wiring.audit,
        found.officer_id,
        public_jwk=found.key.public_jwk,
        abilities=abilities or ("clients", "citizens"),
        by="test",
    )
    return found


def wanted(**changed: Any) -> dict[str, Any]:
    return {
        "client_name": "Ministry",
        "profile": "basic",
        "sector": "ministry",
        "legal_ground": "Decree 2-20-345",
        "redirect_uris": ["https://ministry.test/cb"],
        "scope": "openid uid",
        **changed,
    }


async def proposed(by: Agent, **changed: Any) -> str:
    response = await by.send("POST", "/admin/clients", wanted(**changed))
    assert response.status_code == 202, response.text
    return f"/admin/clients/{response.json()['proposal_id']}"


async def test_a_04_a_client_is_registered_by_two_officers(idp: Provider) -> None:
    one, two = await agent(idp), await agent(idp)
    path = await proposed(one)
    before = (await two.send("GET", path)).json()
    assert (before["state"], before["proposed_by"], before["client_id"]) == ("pending", one.officer_id, None)
    assert before["registration"]["legal_ground"] == "Decree 2-20-345"
    assert path.rpartition("/")[2] in {
        proposal["proposal_id"] for proposal in (await two.send("GET", "/admin/clients")).json()["proposals"]
    }
    approved = await two.send("POST", f"{path}/approve")
    assert approved.status_code == 201, approved.text
    client = approved.json()
    assert (client["legal_ground"], len(client["client_secret"])) == ("Decree 2-20-345", 43)
    row = (await idp.owner("SELECT state, legal_ground FROM idp.client WHERE client_id = $1", client["client_id"]))[0]
    assert tuple(row) == ("active", "Decree 2-20-345")
    after = (await one.send("GET", path)).json()
    assert (after["state"], after["decided_by"], after["client_id"]) == (
        "approved",
        two.officer_id,
        client["client_id"],
    )


async def test_a_04_the_same_officer_does_not_approve(idp: Provider) -> None:
    one = await agent(idp)
    path = await proposed(one)
    for _ in range(2):
        response = await one.send("POST", f"{path}/approve")
        assert (response.status_code, response.json()["code"]) == (409, "same-officer")
    assert (await one.send("GET", path)).json()["state"] == "pending"


async def test_a_04_an_approval_counts_once_under_race(idp: Provider) -> None:
    one, others = await agent(idp), [await agent(idp) for _ in range(4)]
    path = await proposed(one)
    answers = await asyncio.gather(*(other.send("POST", f"{path}/approve") for other in others))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    again = await others[0].send("POST", f"{path}/approve")
    assert (again.status_code, again.json()["code"]) == (409, "proposal-decided")
    rows = await idp.owner(
        "SELECT 1 FROM idp.audit WHERE action = 'client.registered' AND detail ->> 'proposal' = $1",
        path.rpartition("/")[2],
    )
    assert len(rows) == 1


async def test_a_04_the_database_itself_refuses_one_person_as_two(idp: Provider) -> None:
    one = await agent(idp)
    path = await proposed(one)
    with pytest.raises(Exception, match="client_proposal_check"):
        await idp.owner(
            "UPDATE idp.client_proposal SET state = 'approved', decided_by = proposed_by WHERE proposal_id = $1::uuid",
            path.rpartition("/")[2],
        )


async def test_a_04_a_refused_or_expired_proposal_is_not_approved(idp: Provider) -> None:
    one, two = await agent(idp), await agent(idp)
    refused, expired = await proposed(one), await proposed(one)
    assert (await two.send("POST", f"{refused}/refuse")).status_code == 204
    assert (await two.send("POST", f"{refused}/refuse")).status_code == 409
    await idp.owner(
        "UPDATE idp.client_proposal SET expires_at = now() WHERE proposal_id = $1::uuid", expired.rpartition("/")[2]
    )
    for path in (refused, expired):
        assert (await two.send("POST", f"{path}/approve")).status_code == 409
    assert (await two.send("POST", "/admin/clients/00000000-0000-0000-0000-000000000000/approve")).status_code == 404


@pytest.mark.parametrize(
    "changed",
    [
        {"redirect_uris": ["http://ministry.test/cb"]},
        {"sector": "host:rp.test"},
        {"scope": "openid uid", "legal_ground": None},
        {"profile": "root"},
        {"unknown": 1},
    ],
    ids=str,
)
async def test_a_04_what_cannot_be_registered_cannot_be_proposed(idp: Provider, changed: dict[str, Any]) -> None:
    response = await (await agent(idp)).send("POST", "/admin/clients", wanted(**changed))
    assert response.status_code == 400


ROUTES = [
    ("POST", "/admin/clients"),
    ("GET", "/admin/clients"),
    ("GET", "/admin/clients/00000000-0000-0000-0000-000000000000"),
    ("POST", "/admin/clients/00000000-0000-0000-0000-000000000000/approve"),
    ("POST", "/admin/clients/00000000-0000-0000-0000-000000000000/refuse"),
    ("POST", "/admin/citizens/look-up"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_a_01_tokens_of_citizens_and_relying_parties_find_nothing(idp: Provider, method: str, path: str) -> None:
    party = await idp.client()
    browser = await idp.signed_in(await idp.citizen())
    tokens = await idp.tokens(browser, party)
    for authorization in (
        f"Bearer {tokens['access_token']}",
        f"DPoP {tokens['access_token']}",
        f"Bearer {tokens['id_token']}",
        "Basic YWdlbnQtMDp4",
        "",
    ):
        for http in (idp.http, browser):
            response = await http.request(method, f"/idp{path}", headers={"Authorization": authorization}, json={})
            assert response.status_code == 404
    for token in (tokens["access_token"], tokens["id_token"]):
        response = await idp.http.request(method, f"/idp{path}", headers={"Authorization": f"Officer {token}"})
        assert response.status_code == 403


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_a_01_each_ability_opens_its_own_routes_only(idp: Provider, method: str, path: str) -> None:
    other = await agent(idp, "clients" if "citizens" in path else "citizens")
    response = await other.send(method, path, {} if method == "POST" else None)
    assert (response.status_code, response.json()["code"]) == (403, "officer-may-not")


async def test_a_01_a_signature_is_for_one_request_once(idp: Provider) -> None:
    one = await agent(idp)
    body = json.dumps({"uid": "2000000000", "reason": "a reason that is long enough"}).encode()
    path = "/admin/citizens/look-up"

    def signed(**changed: Any) -> str:
        settings = {"officer_id": one.officer_id, "issuer": ISSUER, "method": "POST", "path": path, "body": body}
        return sign(changed.pop("key", one.key), **{**settings, **changed})

    async def sent(header: str, content: bytes = body) -> int:
        response = await idp.http.post(f"/idp{path}", content=content, headers={"Authorization": header})
        assert response.json()["code"] == {403: "officer-proof-refused", 404: "not-found"}[response.status_code]
        return response.status_code

    good = signed()
    assert [await sent(good), await sent(good)] == [404, 403], "there is no such citizen, and then no such signature"
    racing = signed()
    assert sorted(await asyncio.gather(*(sent(racing) for _ in range(5)))) == [403, 403, 403, 403, 404]
    refused = (
        signed(method="GET"),
        signed(path="/admin/clients"),
        signed(issuer="https://other.test/idp"),
        signed(body=b"other"),
        signed(lifetime_s=3_600),
        signed(lifetime_s=-60),
        signed(officer_id="nobody-here"),
        signed(key=SigningKey.generate("ES256")),
        "Officer x.y.z",
        "Officer",
        f"Officer {good.split(' ')[1].rsplit('.', 1)[0]}.",
    )
    assert {await sent(header) for header in refused} == {403}
    assert await sent(signed(), content=body + b" ") == 403


async def test_a_01_what_is_said_of_a_signature_tells_nobody_who_is_an_officer(idp: Provider) -> None:
    one, body, path = await agent(idp), b"{}", "/admin/citizens/look-up"
    es256, ps256 = SigningKey.generate("ES256"), SigningKey.generate("PS256")

    async def said(officer_id: str, key: SigningKey, *, typ: str = "", **changed: Any) -> tuple[int, str, str]:
        proof = sign(key, officer_id=officer_id, issuer=ISSUER, method="POST", path=path, body=body, **changed)
        if typ:
            proof = f"Officer {key.sign(unverified_claims(proof.partition(' ')[2]), typ=typ)}"
        headers = {"Authorization": proof}
        answer = await idp.http.post(f"/idp{path}", content=body, headers=headers)
        return answer.status_code, answer.json()["code"], answer.json().get("detail", "")

    for how in ({"key": es256}, {"key": ps256}, {"key": es256, "typ": "jwt"}, {"key": es256, "lifetime_s": -60}):
        known, unknown = [await said(officer_id, **how) for officer_id in (one.officer_id, "nobody-here")]
        assert known == unknown, how
        assert known[:2] == (403, "officer-proof-refused")


async def test_a_02_without_the_key_in_the_officers_hands_there_is_no_way_in(idp: Provider) -> None:
    """No password, no code and no session is a way: each single request is signed by a key that never comes here."""
    one = await agent(idp)
    browser = await idp.signed_in(await idp.citizen())
    for address in ("/idp/admin", "/idp/admin/", "/idp/admin/sign-in", "/idp/admin/clients"):
        assert (await browser.get(address)).status_code == 404
        for credentials in ({"username": one.officer_id, "password": "x"}, {"otp": "123456"}):
            assert (await browser.post(address, data=credentials)).status_code == 404
    assert (await one.send("GET", "/admin/clients", key=SigningKey.generate("ES256"))).status_code == 403
    [stored] = await idp.owner(
        "SELECT public_jwk ? 'd' AS private FROM idp.officer WHERE officer_id = $1", one.officer_id
    )
    assert stored["private"] is False
    assert (await one.send("GET", "/admin/clients")).status_code == 200


async def test_a_01_a_disabled_officer_is_nobody_at_once(idp: Provider) -> None:
    one = await agent(idp)
    assert (await one.send("GET", "/admin/clients")).status_code == 200
    await disable(idp.wiring.db, idp.wiring.audit, one.officer_id, by="test")
    assert (await one.send("GET", "/admin/clients")).status_code == 403


async def test_a_07_a_look_stands_in_the_citizens_history_with_its_reason(idp: Provider) -> None:
    one, citizen = await agent(idp), await idp.citizen()
    uid = (await idp.owner("SELECT uid FROM idp.citizen WHERE citizen_id = $1", citizen))[0]["uid"]
    reason = "Complaint 2026/118, asked for <by> the citizen"
    seen = await one.send("POST", "/admin/citizens/look-up", {"uid": uid, "reason": reason})
    assert seen.status_code == 200
    assert seen.json()["claims"]["family_name#fr"] == "El Alaoui"
    line = (await idp.owner("SELECT * FROM idp.audit WHERE owner = $1 AND action = 'citizen.read'", str(citizen)))[0]
    assert (line["actor_kind"], line["actor"], line["purpose"]) == ("officer", one.officer_id, reason)
    assert "El Alaoui" not in str(dict(line))
    page = await (await idp.signed_in(citizen)).get("/idp/account/history", params={"lang": "en"})
    assert "An officer looked at your data" in page.text
    assert "Complaint 2026/118, asked for &lt;by&gt; the citizen" in page.text


@pytest.mark.parametrize(
    ("reason", "refused"),
    [
        *(
            (reason, (422, "reason-needed"))
            for reason in ("", "short", " " * 40, "x" * 501, "with a\nline break in it")
        ),
        *((reason, (400, "malformed")) for reason in (None, 7)),
    ],
)
async def test_a_07_no_look_without_a_reason(idp: Provider, reason: Any, refused: tuple[int, str]) -> None:
    one, citizen = await agent(idp), await idp.citizen()
    uid = (await idp.owner("SELECT uid FROM idp.citizen WHERE citizen_id = $1", citizen))[0]["uid"]
    response = await one.send("POST", "/admin/citizens/look-up", {"uid": uid, "reason": reason})
    assert (response.status_code, response.json()["code"]) == refused
    assert "El Alaoui" not in response.text
    rows = await idp.owner("SELECT 1 FROM idp.audit WHERE owner = $1 AND action = 'citizen.read'", str(citizen))
    assert rows == []


async def test_a_06_an_officer_has_no_way_to_a_document(idp: Provider) -> None:
    """The provider knows no documents, and nothing that an officer can call leads to a token for who does."""
    one, citizen = await agent(idp), await idp.citizen()
    uid = (await idp.owner("SELECT uid FROM idp.citizen WHERE citizen_id = $1", citizen))[0]["uid"]
    seen = await one.send("POST", "/admin/citizens/look-up", {"uid": uid, "reason": "a reason that is long enough"})
    assert set(seen.json()) == {"uid", "state", "proofing", "locale", "claims"}
    for method, path in (
        ("GET", "/userinfo"),
        ("POST", "/token"),
        ("POST", "/introspect"),
        ("POST", "/subjects/resolve"),
        ("GET", "/account"),
        ("GET", "/account/history"),
    ):
        response = await one.send(method, path)
        assert response.status_code in (303, 400, 401, 403), path
        assert "El Alaoui" not in response.text
