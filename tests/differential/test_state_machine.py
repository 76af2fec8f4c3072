"""Any order of what clients, citizens and officers do: what must never be true is looked for after each step."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit
from uuid import UUID

import httpx
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from idp.citizens.change_state import Change, change_state
from idp.consents.end import end as end_consent
from idp.logout.sign_out import sign_out
from idp.sessions.cookies import SESSION_COOKIE
from kit.jose import unverified_claims
from kit.tokens import digest
from tests.provider import CALLBACK, Provider, RelyingParty, answer_of, press_allow
from tests.running import Running

LEVELS = ("low", "substantial", "high")
Level = Literal["low", "substantial"]
ESSENTIAL = json.dumps({"id_token": {"acr": {"essential": True, "values": ["substantial"]}}})
HOSTS = {urlsplit(CALLBACK).netloc, "", "id.test"}


@dataclass
class Session:
    browser: httpx.AsyncClient
    acr: Level
    ended: bool = False


@dataclass
class Grant:
    """An answered authorization request, and what came of it."""

    party: RelyingParty
    session: Session
    code: str
    offline: bool
    essential: bool
    spent: bool = False
    ended: bool = False
    refresh_token: str | None = None
    used_refresh_tokens: list[str] = field(default_factory=list)
    access_tokens: dict[str, bool] = field(default_factory=dict)
    """Whether each was revoked by itself."""

    @property
    def over(self) -> bool:
        return self.ended or (self.session.ended and not self.offline)


class Lives(RuleBasedStateMachine):
    """One citizen, a client of a public and one of a confidential kind, and everything that can happen to them."""

    running: Running
    parties: Sequence[RelyingParty]

    def __init__(self) -> None:
        super().__init__()
        self.provider: Provider = self.running.provider
        self.citizen_id: UUID = self.running.run(self.provider.citizen())
        [row] = self.running.run(
            self.provider.owner("SELECT uid FROM idp.citizen WHERE citizen_id = $1", self.citizen_id)
        )
        self.uid: str = row["uid"]
        self.active = True
        self.sessions: list[Session] = []
        self.grants: list[Grant] = []
        self.sign_in("substantial")

    # -- people --------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.active)
    @rule(acr=st.sampled_from(["low", "substantial", "substantial"]))
    def sign_in(self, acr: Level) -> None:
        browser = self.running.run(self.provider.signed_in(self.citizen_id, acr=acr))
        self.sessions.append(Session(browser, acr))

    @precondition(lambda self: any(not one.ended for one in self.sessions))
    @rule(data=st.data())
    def log_out(self, data: st.DataObject) -> None:
        session = data.draw(st.sampled_from([one for one in self.sessions if not one.ended]))
        token = session.browser.cookies.get(SESSION_COOKIE)
        assert token is not None
        wiring = self.provider.wiring
        self.running.run(sign_out(wiring.db, wiring.audit, digest(token)))
        session.ended = True

    @precondition(lambda self: self.active and self.grants)
    @rule(data=st.data())
    def freeze(self, data: st.DataObject) -> None:
        if data.draw(st.integers(0, 2)):
            return
        self._change("freeze")
        self.active = False
        for session in self.sessions:
            session.ended = True
        for grant in self.grants:
            grant.ended = True

    @precondition(lambda self: not self.active)
    @rule()
    def unfreeze(self) -> None:
        self._change("unfreeze")
        self.active = True
        self.sign_in("substantial")

    def _change(self, change: Change) -> None:
        wiring = self.provider.wiring
        self.running.run(
            change_state(
                wiring.db, wiring.audit, self.uid, change, actor_kind="officer", actor="test", reason="state machine"
            )
        )

    @precondition(lambda self: self.grants)
    @rule(data=st.data())
    def end_consent(self, data: st.DataObject) -> None:
        party = data.draw(st.sampled_from([one.party for one in self.grants]))
        rows = self.running.run(
            self.provider.owner(
                "SELECT consent_id FROM idp.consent WHERE citizen_id = $1 AND client_id = $2 AND ended_at IS NULL",
                self.citizen_id,
                party.client_id,
            )
        )
        wiring = self.provider.wiring
        for row in rows:
            self.running.run(
                end_consent(wiring.db, wiring.audit, consent_id=row["consent_id"], citizen_id=self.citizen_id)
            )
        for grant in self.grants:
            grant.ended |= grant.party is party

    # -- clients -------------------------------------------------------------------------------------------------

    @rule(
        data=st.data(),
        pushed=st.booleans(),
        offline=st.booleans(),
        essential=st.booleans(),
        redirect_uri=st.sampled_from([CALLBACK] * 4 + [f"{CALLBACK}/", "https://evil.test/callback"]),
    )
    def authorize(self, data: st.DataObject, pushed: bool, offline: bool, essential: bool, redirect_uri: str) -> None:
        party = data.draw(st.sampled_from(self.parties))
        session = data.draw(st.sampled_from(self.sessions))
        request = party.request(
            redirect_uri=redirect_uri,
            scope="openid profile" + " offline_access" * offline,
            claims=ESSENTIAL if essential else None,
        )
        response = self.running.run(self._authorized(session, party, request, pushed=pushed))
        if response is None:
            assert redirect_uri != CALLBACK
            return
        location = urlsplit(response.headers.get("location", ""))
        assert location.netloc in HOSTS, "a redirect leads to an address that was not registered"
        answered = location.netloc == urlsplit(CALLBACK).netloc
        if redirect_uri != CALLBACK:
            assert not answered
            return
        possible = self.active and not session.ended and (session.acr == "substantial" or not essential)
        assert answered == possible
        if answered:
            assert location.path == urlsplit(CALLBACK).path
            self.grants.append(Grant(party, session, answer_of(response)["code"], offline, essential))

    async def _authorized(
        self, session: Session, party: RelyingParty, request: dict[str, str], *, pushed: bool
    ) -> httpx.Response | None:
        """None where already the pushed request was refused."""
        if pushed:
            response = await self.provider.push(party, **request)
            if response.status_code != 201:
                return None
            request = {"client_id": party.client_id, "request_uri": response.json()["request_uri"]}
        response = await session.browser.get("/idp/authorize", params=request)
        if response.headers.get("location", "").startswith("/idp/consent"):
            response = await press_allow(session.browser, response.headers["location"])
        return response

    @precondition(lambda self: self.grants)
    @rule(data=st.data(), calls=st.sampled_from([1, 1, 1, 2, 5]))
    def exchange(self, data: st.DataObject, calls: int) -> None:
        """As many calls at once: no more than one succeeds, and a second use ends what the first one got."""
        grant = data.draw(st.sampled_from(self.grants))
        responses = self.running.run(self._all([self.provider.exchange(grant.party, grant.code) for _ in range(calls)]))
        good = [one for one in responses if one.status_code == 200]
        assert {one.status_code for one in responses} <= {200, 400}
        possible = not (grant.spent or grant.ended or grant.session.ended)
        assert len(good) == int(possible), "a code gives exactly one success, while what it hangs on lives"
        for one in good:
            self._keep(grant, one.json())
        if grant.spent or (good and calls > 1):
            grant.ended = True
        grant.spent |= bool(good)

    @staticmethod
    async def _all(calls: Sequence[Any]) -> list[httpx.Response]:
        return list(await asyncio.gather(*calls))

    def _keep(self, grant: Grant, answer: dict[str, Any]) -> None:
        grant.access_tokens[answer["access_token"]] = False
        grant.refresh_token = answer["refresh_token"]
        claims = unverified_claims(answer["id_token"])
        if grant.essential:
            assert LEVELS.index(claims["acr"]) >= LEVELS.index("substantial")
        assert LEVELS.index(claims["acr"]) <= LEVELS.index(grant.session.acr)

    def _refreshable(self) -> list[Grant]:
        return [one for one in self.grants if one.refresh_token is not None]

    @precondition(lambda self: self._refreshable())
    @rule(data=st.data())
    def refresh(self, data: st.DataObject) -> None:
        grant = data.draw(st.sampled_from(self._refreshable()))
        assert grant.refresh_token is not None
        response = self.running.run(self.provider.refresh(grant.party, grant.refresh_token))
        assert response.status_code == (400 if grant.over else 200), response.text
        if response.status_code == 200:
            before = grant.refresh_token
            self._keep(grant, response.json())
            if grant.refresh_token != before:
                grant.used_refresh_tokens.append(before)

    @precondition(lambda self: any(one.used_refresh_tokens for one in self.grants))
    @rule(data=st.data())
    def use_an_old_refresh_token(self, data: st.DataObject) -> None:
        grant = data.draw(st.sampled_from([one for one in self.grants if one.used_refresh_tokens]))
        old = data.draw(st.sampled_from(grant.used_refresh_tokens))
        assert self.running.run(self.provider.refresh(grant.party, old)).status_code == 400
        grant.ended = True

    @precondition(lambda self: self._refreshable())
    @rule(data=st.data(), kind=st.sampled_from(["refresh_token", "access_token"]))
    def revoke(self, data: st.DataObject, kind: str) -> None:
        grant = data.draw(st.sampled_from(self._refreshable()))
        token = (
            grant.refresh_token if kind == "refresh_token" else data.draw(st.sampled_from(list(grant.access_tokens)))
        )
        assert token is not None
        form = {"token": token, **grant.party.authentication()}
        assert self.running.run(self.provider.http.post("/idp/revoke", data=form)).status_code == 200
        if kind == "refresh_token":
            grant.ended = True
        else:
            grant.access_tokens[token] = True

    # -- what is always so ---------------------------------------------------------------------------------------

    @invariant()
    def a_token_is_good_exactly_as_long_as_what_it_hangs_on(self) -> None:
        expected = [
            (grant, token, not (grant.over or revoked))
            for grant in self.grants
            for token, revoked in grant.access_tokens.items()
        ]
        at_userinfo = self.running.run(
            self._all([self.provider.userinfo(token, one.party) for one, token, _ in expected])
        )
        for (_, _, good), response in zip(expected, at_userinfo, strict=True):
            assert response.status_code == (200 if good else 401)
        # A public client cannot ask about tokens.
        asked = [(one, token, good) for one, token, good in expected if one.party.secret is not None]
        answers = self.running.run(
            self._all(
                [
                    self.provider.http.post("/idp/introspect", data={"token": token, **one.party.authentication()})
                    for one, token, _ in asked
                ]
            )
        )
        for (_, _, good), response in zip(asked, answers, strict=True):
            assert response.json()["active"] == good

    def teardown(self) -> None:
        for session in self.sessions:
            self.running.run(session.browser.aclose())


def test_no_order_of_events_breaks_what_is_promised(running: Running) -> None:
    Lives.running = running
    Lives.parties = [
        running.run(running.provider.client(default_acr_values=["low"])),
        running.run(running.provider.wallet(default_acr_values=["low"])),
    ]
    run_state_machine_as_test(
        Lives,
        settings=settings(
            max_examples=12,
            stateful_step_count=15,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=[*HealthCheck],
        ),
    )
