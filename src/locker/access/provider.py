"""The provider as we know it: discovery, key set, introspection, its token endpoint; over HTTP and nothing else."""

import asyncio
import time
from typing import Any

import httpx
import msgspec

from kit import strict_json
from kit.errors import Unavailable
from kit.ids import new_public_id
from kit.jose import KeyRefused, PublicKeys, SigningKey, client_assertion, header_of, verify
from locker.settings import LockerSettings

_ANSWER_MAX_BYTES = 262_144
_ALGORITHMS = ("ES256", "RS256", "PS256", "EdDSA")


class Metadata(msgspec.Struct, frozen=True):
    """What we use of OpenID Connect Discovery §3 and RFC 8414."""

    issuer: str
    jwks_uri: str
    authorization_endpoint: str
    token_endpoint: str
    introspection_endpoint: str
    userinfo_endpoint: str | None = None
    end_session_endpoint: str | None = None
    claims_parameter_supported: bool = False
    account_management_uri: str | None = None


class _TokenAnswer(msgspec.Struct, frozen=True):
    access_token: str
    expires_in: int = 60


class Provider:
    """One for the whole app. ``http`` carries the transport, so that embedded mode swaps the wire and nothing else."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        issuer: str,
        client_id: str,
        client_key: SigningKey,
        keys_age_max_s: float,
        keys_refresh_min_s: float,
    ) -> None:
        self.issuer = issuer
        self.client_id = client_id
        self._http = http
        self._client_key = client_key
        self._age_max_s = keys_age_max_s
        self._refresh_min_s = keys_refresh_min_s
        self._metadata: Metadata | None = None
        self._metadata_at = 0.0
        self._keys: PublicKeys | None = None
        self._keys_at = 0.0
        self._fetching = asyncio.Lock()
        self._fetching_keys = asyncio.Lock()
        self._machine_tokens: dict[str, tuple[str, float]] = {}

    @classmethod
    def of(cls, http: httpx.AsyncClient, settings: LockerSettings) -> "Provider":
        """With the key of the locker's own client, which is made where there is none."""
        return cls(
            http,
            issuer=settings.issuer,
            client_id=settings.client_id,
            client_key=SigningKey.load_or_create(settings.keys_folder / "client-ES256.pem", "ES256"),
            keys_age_max_s=settings.provider_keys_age_max_s,
            keys_refresh_min_s=settings.provider_keys_refresh_min_s,
        )

    async def metadata(self) -> Metadata:
        if self._metadata is None or time.monotonic() - self._metadata_at > self._age_max_s:
            async with self._fetching:
                if self._metadata is None or time.monotonic() - self._metadata_at > self._age_max_s:
                    answer = await self._get(f"{self.issuer}/.well-known/openid-configuration")
                    try:
                        metadata = strict_json.decode(answer, Metadata)
                    except msgspec.DecodeError as fault:
                        raise Unavailable("provider metadata") from fault
                    if metadata.issuer != self.issuer:
                        # Mix-up: somebody else answers at this address (OpenID Connect Discovery §4.3).
                        raise Unavailable("provider metadata")
                    self._metadata, self._metadata_at = metadata, time.monotonic()
        assert self._metadata is not None
        return self._metadata

    async def verify(
        self, token: str, *, typ: tuple[str, ...], audience: str, require: tuple[str, ...]
    ) -> dict[str, Any]:
        """Claims of a JWT that the provider signed; TokenRefused for anything else, Unavailable without its keys."""
        keys = await self._keys_for(header_of(token).get("kid"))
        return verify(
            token, keys, algorithms=_ALGORITHMS, typ=typ, issuer=self.issuer, audience=audience, require=require
        )

    async def introspect(self, token: str, *, hint: str = "access_token") -> dict[str, Any]:
        """The provider's answer (RFC 7662 §2.2); ``{"active": False}`` for what it does not know."""
        form = {"token": token, "token_type_hint": hint}
        answer = await self.post_as_client((await self.metadata()).introspection_endpoint, form)
        if answer.status_code != 200:
            raise Unavailable("introspection")
        return _object(answer)

    async def stands(self, grant_id: str) -> bool:
        """Whether a citizen's connection with a service holds at this moment. Raises Unavailable: nobody can say so."""
        return (await self.introspect(grant_id, hint="grant_id")).get("active") is True

    async def machine_token(self, scope: str) -> str:
        """An access token of our own (client_credentials), kept until a third of its life is left."""
        kept = self._machine_tokens.get(scope)
        if kept and time.monotonic() < kept[1]:
            return kept[0]
        answer = await self.post_as_client(
            (await self.metadata()).token_endpoint, {"grant_type": "client_credentials", "scope": scope}
        )
        if answer.status_code != 200:
            raise Unavailable("provider token")
        try:
            token = strict_json.decode(answer.content, _TokenAnswer)
        except msgspec.DecodeError as fault:
            raise Unavailable("provider token") from fault
        self._machine_tokens[scope] = (token.access_token, time.monotonic() + token.expires_in * 2 / 3)
        return token.access_token

    def forget_machine_token(self, scope: str) -> None:
        """After a 401: the provider changed its mind before the token's end."""
        self._machine_tokens.pop(scope, None)

    async def post_as_client(self, url: str, form: dict[str, str]) -> httpx.Response:
        """POST a form with our private_key_jwt (RFC 7523 §2.2). A 5xx and silence are Unavailable."""
        assertion = client_assertion(
            self._client_key, client_id=self.client_id, audience=self.issuer, jti=new_public_id()
        )
        return await self.send(
            "POST",
            url,
            data={
                **form,
                "client_id": self.client_id,
                "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                "client_assertion": assertion,
            },
        )

    async def send(self, method: str, url: str, **parts: Any) -> httpx.Response:
        try:
            answer = await self._http.request(method, url, **parts)
        except httpx.HTTPError as fault:
            raise Unavailable("provider") from fault
        if answer.status_code >= 500 or len(answer.content) > _ANSWER_MAX_BYTES:
            raise Unavailable("provider")
        return answer

    async def _get(self, url: str) -> bytes:
        answer = await self.send("GET", url)
        if answer.status_code != 200:
            raise Unavailable("provider")
        return answer.content

    async def _keys_for(self, kid: str | None) -> PublicKeys:
        if self._stale(kid):
            async with self._fetching_keys:
                if self._stale(kid):
                    await self._fetch_keys()
        assert self._keys is not None
        return self._keys

    def _stale(self, kid: str | None) -> bool:
        age_s = time.monotonic() - self._keys_at
        if self._keys is None or age_s > self._age_max_s:
            return True
        # A flood of invented kids costs the provider one fetch in a while, not one each.
        return not self._keys.knows(kid) and age_s > self._refresh_min_s

    async def _fetch_keys(self) -> None:
        answer = await self._get((await self.metadata()).jwks_uri)
        try:
            self._keys = PublicKeys(strict_json.decode(answer))
        except (msgspec.DecodeError, KeyRefused) as fault:
            raise Unavailable("provider keys") from fault
        self._keys_at = time.monotonic()


def _object(answer: httpx.Response) -> dict[str, Any]:
    try:
        return strict_json.decode(answer.content, dict[str, Any])
    except msgspec.DecodeError as fault:
        raise Unavailable("provider") from fault
