"""Other providers as we know them: metadata, keys, the pushed request and the token endpoint, by Authlib's client."""

import asyncio
import time
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast
from urllib.parse import parse_qsl, quote_plus, urlencode, urlsplit

import httpx
import msgspec
from authlib.common.urls import add_params_to_qs
from authlib.deprecate import AuthlibDeprecationWarning
from authlib.integrations.base_client import OAuthError
from cryptography.hazmat.primitives import serialization

from idp.citizens.sealed import Sealer
from idp.keys.secrets import Secrets
from idp.upstream.check_metadata import check_metadata
from idp.upstream.refusals import RegistrationRefused, UpstreamAway, UpstreamRefused
from idp.upstream.schema import Metadata, Registration, Upstream
from idp.upstream.wire import OVERALL_MAX_S, TIMEOUT, Bounded
from kit import strict_json
from kit.ids import new_public_id
from kit.jose import KeyRefused, PrivateKey, PublicKeys, SigningKey, client_assertion

with warnings.catch_warnings():
    # It asks for httpx's successor, each time that it is imported.
    warnings.simplefilter("ignore", AuthlibDeprecationWarning)
    from authlib.integrations.httpx_client import AsyncOAuth2Client

_AGE_MAX_S = 3_600.0
_REFRESH_MIN_S = 30.0
_RETRY_MIN_S = 5.0
_PROVIDERS_MAX = 100
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class Tokens(msgspec.Struct, frozen=True):
    id_token: str
    access_token: str


class _Known:
    """One provider, since this process last asked."""

    def __init__(self, registration: Registration) -> None:
        self.registration = registration
        self.key: SigningKey | None = None
        self.metadata: Metadata | None = None
        self.metadata_at = 0.0
        self.keys: PublicKeys | None = None
        self.keys_at = 0.0
        self.failed_at = -_RETRY_MIN_S
        self.asking = asyncio.Lock()

    def lacks(self, kid: str | None) -> bool:
        age_s = time.monotonic() - self.keys_at
        if self.keys is None or age_s > _AGE_MAX_S:
            return True
        return not self.keys.knows(kid) and age_s > _REFRESH_MIN_S


class Providers:
    """One for the whole app. ``wire`` carries the transport, so that tests swap the wire and nothing else."""

    def __init__(self, secrets: Secrets, *, wire: Bounded, loopback_allowed: bool) -> None:
        self.wire = wire
        self._sealer = Sealer(secrets.derive("upstream"))
        self._loopback_allowed = loopback_allowed
        self._known: dict[str, _Known] = {}

    def seal(self, slug: str, credential: bytes) -> bytes:
        return self._sealer.seal(credential, place=f"upstream|{slug}")

    def key_of(self, upstream: Upstream) -> SigningKey:
        """Our key for private_key_jwt there, parsed once."""
        known = self._known_as(upstream)
        if known.key is None:
            pem = self._sealer.open(upstream.credential_sealed, place=f"upstream|{upstream.slug}")
            private = cast("PrivateKey", serialization.load_pem_private_key(pem, None))
            known.key = SigningKey(private, upstream.registration.token_endpoint_auth_signing_alg)
        return known.key

    async def discover(self, registration: Registration) -> Metadata:
        """Ask anew. Raises UpstreamAway, and RegistrationRefused for metadata that cannot be worked with."""
        url = f"{registration.issuer.removesuffix('/')}/.well-known/openid-configuration"
        try:
            metadata = strict_json.decode(await self._get(url), Metadata)
        except msgspec.DecodeError:
            raise RegistrationRefused("the metadata cannot be read") from None
        check_metadata(metadata, registration, loopback_allowed=self._loopback_allowed)
        return metadata

    async def metadata(self, upstream: Upstream) -> Metadata:
        known = self._known_as(upstream)
        if known.metadata is None or time.monotonic() - known.metadata_at > _AGE_MAX_S:
            async with self._asking(known):
                if known.metadata is None or time.monotonic() - known.metadata_at > _AGE_MAX_S:
                    try:
                        known.metadata = await self.discover(upstream.registration)
                    except RegistrationRefused as refused:
                        raise UpstreamAway(refused.detail or "metadata") from None
                    known.metadata_at = time.monotonic()
        return known.metadata

    async def keys(self, upstream: Upstream, *, kid: str | None) -> PublicKeys:
        """Its key set: asked for again once an hour, and for a ``kid`` that is not in it, at most twice a minute."""
        jwks_uri = (await self.metadata(upstream)).jwks_uri
        known = self._known_as(upstream)
        if known.lacks(kid):
            async with self._asking(known):
                if known.lacks(kid):
                    try:
                        known.keys = PublicKeys(strict_json.decode(await self._get(jwks_uri)))
                    except (msgspec.DecodeError, KeyRefused):
                        raise UpstreamAway("key set") from None
                    known.keys_at = time.monotonic()
        assert known.keys is not None
        return known.keys

    async def authorization_url(
        self, upstream: Upstream, *, redirect_uri: str, code_verifier: str, parameters: dict[str, str]
    ) -> str:
        """Where the browser goes: with a pushed request where the provider takes one (RFC 9126)."""
        metadata = await self.metadata(upstream)
        async with self._client(upstream, metadata, redirect_uri) as client:
            url, _ = client.create_authorization_url(
                metadata.authorization_endpoint, code_verifier=code_verifier, **parameters
            )
            url = str(url)
            if metadata.pushed_authorization_request_endpoint is None:
                return url
            method = upstream.registration.token_endpoint_auth_method
            pushed = dict(parse_qsl(urlsplit(url).query))
            if method != "client_secret_basic":
                # The others name the client in the body themselves, and no parameter stands there twice.
                del pushed["client_id"]
            answer = await client.post(
                metadata.pushed_authorization_request_endpoint, data=pushed, auth=client.client_auth(method)
            )
            if answer.status_code != 201:
                raise UpstreamRefused("pushed-request")
            request_uri = _member(answer, "request_uri")
        query = urlencode({"client_id": upstream.registration.client_id, "request_uri": request_uri})
        joint = "&" if urlsplit(metadata.authorization_endpoint).query else "?"
        return f"{metadata.authorization_endpoint}{joint}{query}"

    async def exchange(self, upstream: Upstream, *, code: str, code_verifier: str, redirect_uri: str) -> Tokens:
        metadata = await self.metadata(upstream)
        async with self._client(upstream, metadata, redirect_uri) as client:
            answered: dict[str, Any] = await client.fetch_token(
                metadata.token_endpoint,
                grant_type="authorization_code",
                code=code,
                code_verifier=code_verifier,
                redirect_uri=redirect_uri,
            )
        try:
            return msgspec.convert(dict(answered), Tokens)
        except msgspec.ValidationError:
            raise UpstreamRefused("token-response") from None

    @asynccontextmanager
    async def _asking(self, known: _Known) -> AsyncIterator[None]:
        """One at a time, and those that waited while nobody answered do not each wait as long again."""
        async with known.asking:
            if time.monotonic() - known.failed_at < _RETRY_MIN_S:
                raise UpstreamAway("just now")
            try:
                yield
            except UpstreamAway:
                known.failed_at = time.monotonic()
                raise

    @asynccontextmanager
    async def _client(
        self, upstream: Upstream, metadata: Metadata, redirect_uri: str
    ) -> AsyncIterator[AsyncOAuth2Client]:
        """Raises UpstreamAway for silence, UpstreamRefused for an error of the protocol."""
        registration = upstream.registration
        method = registration.token_endpoint_auth_method
        secret = None
        if method != "private_key_jwt":
            secret = self._sealer.open(upstream.credential_sealed, place=f"upstream|{upstream.slug}").decode()
        client = AsyncOAuth2Client(
            registration.client_id,
            secret,
            token_endpoint_auth_method=method,
            scope=registration.scope,
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
            transport=self.wire,
            timeout=TIMEOUT,
            trust_env=False,
            follow_redirects=False,
        )
        if method == "private_key_jwt":
            client.register_client_auth_method((method, _Assertion(self.key_of(upstream), metadata.issuer)))
        elif method == "client_secret_basic":
            client.register_client_auth_method((method, _basic))
        try:
            async with asyncio.timeout(OVERALL_MAX_S), client:
                yield client
        except OAuthError as error:
            raise UpstreamRefused("token-error") from error
        except (httpx.HTTPError, OSError) as fault:
            raise UpstreamAway(type(fault).__name__) from fault
        except ValueError as fault:
            # Authlib: an answer that is no JSON object.
            raise UpstreamRefused("token-response") from fault

    async def _get(self, url: str) -> bytes:
        try:
            async with (
                asyncio.timeout(OVERALL_MAX_S),
                httpx.AsyncClient(transport=self.wire, timeout=TIMEOUT, trust_env=False) as http,
            ):
                answer = await http.get(url, headers={"Accept": "application/json"})
        except (httpx.HTTPError, OSError) as fault:
            raise UpstreamAway(type(fault).__name__) from fault
        if answer.status_code != 200:
            raise UpstreamAway(f"status {answer.status_code}")
        return answer.content

    def _known_as(self, upstream: Upstream) -> _Known:
        """Forgotten when the registration changes."""
        known = self._known.get(upstream.slug)
        if known is None or known.registration != upstream.registration:
            if len(self._known) >= _PROVIDERS_MAX:
                self._known.clear()
            known = self._known[upstream.slug] = _Known(upstream.registration)
        return known


class _Assertion:
    """private_key_jwt in the form of Authlib's client authentication; ``audience`` is the issuer (RFC 7523 §3)."""

    def __init__(self, key: SigningKey, audience: str) -> None:
        self._key = key
        self._audience = audience

    def __call__(self, client: Any, method: str, uri: str, headers: Any, body: Any) -> tuple[str, Any, Any]:
        assertion = client_assertion(
            self._key, client_id=client.client_id, audience=self._audience, jti=new_public_id()
        )
        sent = [
            ("client_id", client.client_id),
            ("client_assertion_type", _ASSERTION_TYPE),
            ("client_assertion", assertion),
        ]
        return uri, headers, add_params_to_qs(body or "", sent)


def _basic(client: Any, method: str, uri: str, headers: Any, body: Any) -> tuple[str, Any, Any]:
    """RFC 6749 §2.3.1: each part is form-encoded before they are joined, which Authlib leaves out."""
    pair = httpx.BasicAuth(quote_plus(client.client_id), quote_plus(client.client_secret))
    headers["Authorization"] = next(pair.auth_flow(httpx.Request(method, uri))).headers["Authorization"]
    return uri, headers, body


def _member(answer: httpx.Response, name: str) -> str:
    try:
        value = strict_json.decode(answer.content, dict[str, Any]).get(name)
    except msgspec.DecodeError:
        value = None
    if not isinstance(value, str) or not 0 < len(value) <= 2_048:
        raise UpstreamRefused(name)
    return value
