"""The token endpoint beside Authlib's: the same requests, and a written list of where ours says something else."""

import base64
import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import httpx
from authlib.oauth2.rfc6749 import AuthorizationServer, OAuth2Request
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant, RefreshTokenGrant
from authlib.oauth2.rfc6749.models import AuthorizationCodeMixin, ClientMixin, TokenMixin
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc7636 import CodeChallenge
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.provider import CALLBACK, Provider, RelyingParty
from tests.running import Running

SCOPE = "openid profile offline_access"
Method = Literal["client_secret_post", "client_secret_basic", "none"]
METHODS: tuple[Method, ...] = ("client_secret_post", "client_secret_basic", "none")
Answer = tuple[int, str | None]
"""The class of the status and the error code."""


# -- Authlib's server, with everything in memory --------------------------------------------------------------------


@dataclass
class Client(ClientMixin):  # type: ignore[misc]
    client_id: str
    secret: str | None
    method: Method

    def get_client_id(self) -> str:
        return self.client_id

    def get_default_redirect_uri(self) -> str:
        return CALLBACK

    def get_allowed_scope(self, scope: str) -> str:
        return scope

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri == CALLBACK

    def check_client_secret(self, client_secret: str) -> bool:
        return client_secret == self.secret

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == self.method

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in ("authorization_code", "refresh_token")


@dataclass
class Code(AuthorizationCodeMixin):  # type: ignore[misc]
    code: str
    client_id: str
    code_challenge: str
    code_challenge_method: str = "S256"

    def get_redirect_uri(self) -> str:
        return CALLBACK

    def get_scope(self) -> str:
        return SCOPE


@dataclass
class RefreshToken(TokenMixin):  # type: ignore[misc]
    token: str
    client_id: str

    def check_client(self, client: Client) -> bool:
        return client.client_id == self.client_id

    def get_scope(self) -> str:
        return SCOPE

    def is_expired(self) -> bool:
        return False

    def is_revoked(self) -> bool:
        return False


class Request(OAuth2Request):  # type: ignore[misc]
    def __init__(self, form: dict[str, str], headers: dict[str, str]) -> None:
        super().__init__("POST", "https://id.test/idp/token", headers=headers)
        self.payload = BasicOAuth2Payload(form)

    @property
    def form(self) -> dict[str, str]:
        found: dict[str, str] = self.payload.data
        return found


class CodeGrant(AuthorizationCodeGrant):  # type: ignore[misc]
    TOKEN_ENDPOINT_AUTH_METHODS = METHODS

    def query_authorization_code(self, code: str, client: Client) -> Code | None:
        found = self.server.codes.get(code)
        return found if found and found.client_id == client.client_id else None

    def delete_authorization_code(self, authorization_code: Code) -> None:
        del self.server.codes[authorization_code.code]

    def authenticate_user(self, authorization_code: Code) -> str:
        return "amina"


class RefreshGrant(RefreshTokenGrant):  # type: ignore[misc]
    TOKEN_ENDPOINT_AUTH_METHODS = METHODS
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token: str) -> RefreshToken | None:
        found: RefreshToken | None = self.server.refresh_tokens.get(refresh_token)
        return found

    def authenticate_user(self, refresh_token: RefreshToken) -> str:
        return "amina"

    def revoke_old_credential(self, refresh_token: RefreshToken) -> None:
        """As ours: a confidential client keeps its token (RFC 9700 §4.14.2)."""
        if self.server.clients[refresh_token.client_id].method == "none":
            del self.server.refresh_tokens[refresh_token.token]


class Oracle(AuthorizationServer):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.clients: dict[str, Client] = {}
        self.codes: dict[str, Code] = {}
        self.refresh_tokens: dict[str, RefreshToken] = {}
        self.register_grant(CodeGrant, [CodeChallenge(required=True)])
        self.register_grant(RefreshGrant)
        self.register_token_generator("default", self._token)

    def _token(self, *, scope: str, include_refresh_token: bool, **_: Any) -> dict[str, str]:
        token = {"access_token": secrets.token_urlsafe(), "token_type": "Bearer", "scope": scope}
        return token | ({"refresh_token": secrets.token_urlsafe()} if include_refresh_token else {})

    def query_client(self, client_id: str) -> Client | None:
        return self.clients.get(client_id)

    def save_token(self, token: dict[str, str], request: Request) -> None:
        self.refresh_tokens[token["refresh_token"]] = RefreshToken(token["refresh_token"], request.client.client_id)

    def send_signal(self, name: str, *args: object, **kwargs: object) -> None: ...

    def create_oauth2_request(self, request: Request) -> Request:
        return request

    def handle_response(self, status: int, body: Any, headers: object) -> tuple[int, dict[str, Any]]:
        return status, dict(body)

    def answer(self, form: dict[str, str], headers: dict[str, str]) -> Answer:
        status, body = self.create_token_response(Request(form, headers))
        return status // 100, body.get("error")


# -- what is asked ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """One token request, by what is right and wrong about it."""

    method: Method
    """That the client registered."""
    grant_type: Literal["authorization_code", "refresh_token", "absent", "password", "garbage"] = "authorization_code"
    credential: Literal["right", "absent", "garbage", "used", "another client's"] = "right"
    """The code or the refresh token."""
    redirect_uri: Literal["right", "wrong", "absent"] = "right"
    code_verifier: Literal["right", "wrong", "absent", "too short", "not ASCII"] = "right"
    authentication: Literal["right", "wrong secret", "another method", "two methods", "unknown client", "absent"] = (
        "right"
    )
    scope: Literal["absent", "narrower", "the same", "wider", "unknown", "quoted"] = "absent"

    @property
    def authenticated(self) -> bool:
        return self.authentication == "right"

    @property
    def proved(self) -> bool:
        return self.redirect_uri == "right" and self.code_verifier == "right"


def mostly(right: str, *others: str) -> st.SearchStrategy[Any]:
    return st.one_of(st.just(right), st.just(right), st.just(right), st.sampled_from(others))


CASES = st.builds(
    Case,
    method=st.sampled_from(METHODS),
    grant_type=st.sampled_from(
        ["authorization_code"] * 6 + ["refresh_token"] * 4 + ["absent", "password", "garbage"],
    ),
    credential=st.sampled_from(["right", "right", "right", "absent", "garbage", "used", "another client's"]),
    redirect_uri=mostly("right", "wrong", "absent"),
    code_verifier=mostly("right", "wrong", "absent", "too short", "not ASCII"),
    authentication=mostly("right", "wrong secret", "another method", "two methods", "unknown client", "absent"),
    scope=mostly("absent", "narrower", "the same", "wider", "unknown", "quoted"),
)
SCOPES = {
    "narrower": "openid",
    "the same": SCOPE,
    "wider": f"{SCOPE} email",
    "unknown": "openid no-such-scope",
    "quoted": '"openid"',
}
VERIFIERS = {"wrong": "w" * 43, "too short": "s" * 42, "not ASCII": "é" * 43}


# -- where they differ -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Divergence:
    why: str
    ours: Answer
    theirs: frozenset[Answer]
    of: Callable[[Case], bool]
    afterwards: bool = False
    """It is the request after this one, with everything right, that is answered differently."""


OK: Answer = (2, None)


def refused(error: str) -> Answer:
    return 4, error


def by_code(case: Case) -> bool:
    return case.grant_type == "authorization_code"


def known(case: Case) -> bool:
    return case.grant_type in ("authorization_code", "refresh_token")


DIVERGENCES = (
    Divergence(
        "RFC 6749 §5.2: a request without grant_type lacks a parameter; Authlib calls None an unsupported grant type",
        refused("invalid_request"),
        frozenset({refused("unsupported_grant_type")}),
        lambda case: case.grant_type == "absent",
    ),
    Divergence(
        "RFC 6749 §2.3: no more than one method of authentication in a request; Authlib takes the first that fits",
        refused("invalid_request"),
        frozenset({OK, *map(refused, ("invalid_grant", "invalid_client", "invalid_scope"))}),
        lambda case: known(case) and case.authentication == "two methods",
    ),
    Divergence(
        "so it spent what ours did not",
        OK,
        frozenset({refused("invalid_grant")}),
        lambda case: known(case) and case.authentication == "two methods",
        afterwards=True,
    ),
    Divergence(
        "nothing is looked up for a request that cannot succeed: what is missing is said before who asks is known",
        refused("invalid_request"),
        frozenset({refused("invalid_client")}),
        lambda case: known(case) and case.credential == "absent" and not case.authenticated,
    ),
    Divergence(
        "RFC 7636 §4.6: invalid_grant, whatever is wrong with the code_verifier; the code is spent by it",
        refused("invalid_grant"),
        frozenset({refused("invalid_request")}),
        lambda case: by_code(case) and case.code_verifier in ("absent", "too short", "not ASCII"),
    ),
    Divergence(
        "docs/divergences.md, RFC 6749 §4.1.3: a code that comes with a wrong redirect_uri or code_verifier is spent",
        refused("invalid_grant"),
        frozenset({OK}),
        lambda case: by_code(case) and case.authenticated and case.credential == "right" and not case.proved,
        afterwards=True,
    ),
    Divergence(
        "docs/divergences.md, RFC 6749 §4.1.3: a code that another client presents is spent",
        refused("invalid_grant"),
        frozenset({OK}),
        lambda case: by_code(case) and case.authenticated and case.credential == "another client's",
        afterwards=True,
    ),
    Divergence(
        "RFC 6749 §4.1.2: a second use of a code ends the tokens of the first one; Authlib leaves that to its user",
        refused("invalid_grant"),
        frozenset({OK}),
        lambda case: by_code(case) and case.authenticated and case.credential == "used",
        afterwards=True,
    ),
)


def found_in(case: Case, ours: Answer, theirs: Answer, *, afterwards: bool) -> Divergence:
    for one in DIVERGENCES:
        if one.afterwards == afterwards and one.ours == ours and theirs in one.theirs and one.of(case):
            return one
    raise AssertionError(f"not on the list: ours {ours}, Authlib's {theirs}, {'after ' * afterwards}{case}")


# -- both at once -----------------------------------------------------------------------------------------------------


class Both:
    """The two servers, with the same clients, codes and refresh tokens."""

    def __init__(
        self, provider: Provider, browser: httpx.AsyncClient, parties: dict[Method, list[RelyingParty]]
    ) -> None:
        self.provider = provider
        self.browser = browser
        self.parties = parties
        self.oracle = Oracle()
        for method, both in parties.items():
            for party in both:
                self.oracle.clients[party.client_id] = Client(party.client_id, party.secret, method)

    @classmethod
    async def made(cls, provider: Provider) -> "Both":
        parties: dict[Method, list[RelyingParty]] = {
            method: [await registered(provider, method) for _ in range(2)] for method in METHODS
        }
        return cls(provider, await provider.signed_in(await provider.citizen()), parties)

    async def code_for(self, party: RelyingParty) -> str:
        code = await self.provider.code(self.browser, party, scope=SCOPE)
        self.oracle.codes[code] = Code(code, party.client_id, party.challenge)
        return code

    async def redeemed(self, party: RelyingParty, method: Method) -> tuple[str, str]:
        """A code that was used, and the refresh token that came of it."""
        code = await self.provider.code(self.browser, party, scope=SCOPE)
        form, headers = authenticated(party, method, "right")
        form |= exchange(party, code) | {"grant_type": "authorization_code"}
        response = await self.provider.http.post("/idp/token", data=form, headers=headers, auth=party.holder())
        token: str = response.json()["refresh_token"]
        self.oracle.refresh_tokens[token] = RefreshToken(token, party.client_id)
        return code, token

    async def compared(self, case: Case) -> list[Divergence]:
        """Make the request, then the same one as it should be; where the two differed."""
        own, other = self.parties[case.method]
        holder = other if case.credential == "another client's" else own
        right = Case(
            case.method, grant_type="refresh_token" if case.grant_type == "refresh_token" else "authorization_code"
        )
        credential = after = None
        if case.credential == "garbage":
            credential = "garbage"
        elif case.credential == "used" and right.grant_type == "authorization_code":
            credential, after = await self.redeemed(own, case.method)
            right = replace(right, grant_type="refresh_token")
        elif case.credential == "used":
            _, credential = await self.redeemed(own, case.method)
            await self.ask(right, own, credential)
        elif case.credential != "absent" and right.grant_type == "refresh_token":
            _, credential = await self.redeemed(holder, case.method)
            after = credential
        elif case.credential != "absent":
            credential = after = await self.code_for(holder)
        answers = [await self.ask(case, own, credential)]
        if after is not None:
            answers.append(await self.ask(right, holder, after))
        return [
            found_in(case, ours, theirs, afterwards=bool(place))
            for place, (ours, theirs) in enumerate(answers)
            if ours != theirs
        ]

    async def ask(self, case: Case, party: RelyingParty, credential: str | None) -> tuple[Answer, Answer]:
        """What ours and what Authlib's say to the same request."""
        form, headers = authenticated(party, case.method, case.authentication)
        if case.grant_type != "absent":
            form["grant_type"] = case.grant_type
        if case.grant_type == "refresh_token":
            form |= {"refresh_token": credential} if credential is not None else {}
        else:
            form |= exchange(party, credential)
        if case.redirect_uri == "wrong":
            form["redirect_uri"] = f"{CALLBACK}/"
        elif case.redirect_uri == "absent":
            form.pop("redirect_uri", None)
        if case.code_verifier == "absent":
            form.pop("code_verifier", None)
        elif case.code_verifier in VERIFIERS:
            form["code_verifier"] = VERIFIERS[case.code_verifier]
        if case.scope in SCOPES:
            form["scope"] = SCOPES[case.scope]
        response = await self.provider.http.post("/idp/token", data=form, headers=headers, auth=party.holder())
        return (response.status_code // 100, response.json().get("error")), self.oracle.answer(form, headers)


async def registered(provider: Provider, method: Method) -> RelyingParty:
    """A public client is a wallet, whose proof of its key Authlib does not look at."""
    return await provider.wallet() if method == "none" else await provider.client(token_endpoint_auth_method=method)


def exchange(party: RelyingParty, code: str | None) -> dict[str, str]:
    form = {"redirect_uri": CALLBACK, "code_verifier": party.verifier}
    return form | ({"code": code} if code is not None else {})


def authenticated(party: RelyingParty, method: Method, how: str) -> tuple[dict[str, str], dict[str, str]]:
    client_id = "no-such-client" if how == "unknown client" else party.client_id
    secret = "wrong" if how == "wrong secret" or party.secret is None else party.secret
    basic = {"Authorization": "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()}
    post = {"client_id": client_id, "client_secret": secret}
    if how == "absent":
        return {}, {}
    if how == "two methods":
        return post, basic
    if how == "another method":
        method = METHODS[(METHODS.index(method) + 1) % 3]
    elif how == "wrong secret" and method == "none":
        method = "client_secret_post"
    match method:
        case "client_secret_post":
            return post, {}
        case "client_secret_basic":
            return {}, basic
        case _:
            return {"client_id": client_id}, {}


def test_authlib_agrees_except_where_the_list_says_why(running: Running) -> None:
    both = running.run(Both.made(running.provider))
    seen: Counter[str] = Counter()

    @settings(max_examples=300, deadline=None, derandomize=True, database=None, suppress_health_check=[*HealthCheck])
    @given(CASES)
    @example(Case("client_secret_post"))
    @example(Case("client_secret_basic", grant_type="absent"))
    @example(Case("client_secret_post", authentication="two methods"))
    @example(Case("none", authentication="unknown client", credential="absent"))
    @example(Case("none", code_verifier="absent"))
    @example(Case("client_secret_basic", code_verifier="too short"))
    @example(Case("client_secret_basic", code_verifier="wrong"))
    @example(Case("client_secret_post", redirect_uri="wrong"))
    @example(Case("client_secret_basic", credential="another client's"))
    @example(Case("client_secret_basic", credential="used"))
    @example(Case("none", grant_type="refresh_token", credential="used"))
    def compare(case: Case) -> None:
        seen.update(one.why for one in running.run(both.compared(case)))

    compare()
    assert {one.why for one in DIVERGENCES} - seen.keys() == set(), "no longer true: take it off the list"
