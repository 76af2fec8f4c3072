"""The authorization response: plain parameters with ``iss`` (RFC 9207), or one signed ``response`` (JARM)."""

import time
from collections.abc import Mapping
from urllib.parse import quote, urlsplit

import msgspec

from idp.authorization.refusals import AuthorizationError
from idp.authorization.schema import ReplyTo
from kit.jose import KeySet

_SIGNED_LIFETIME_S = 600
"""JARM §2.1 recommends ten minutes at most."""


class AuthorizationResponse(msgspec.Struct, frozen=True, kw_only=True):
    redirect_uri: str
    form_post: bool
    parameters: dict[str, str]

    @property
    def location(self) -> str:
        """``state`` comes back byte for byte: percent-encoded, never ``+``."""
        query = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in self.parameters.items())
        joint = "&" if urlsplit(self.redirect_uri).query else "?"
        return f"{self.redirect_uri}{joint}{query}"


async def success(to: ReplyTo, *, code: str, issuer: str, keys: KeySet) -> AuthorizationResponse:
    return await _response(to, {"code": code}, issuer=issuer, keys=keys)


async def failure(to: ReplyTo, error: AuthorizationError, *, issuer: str, keys: KeySet) -> AuthorizationResponse:
    parameters = {"error": error.error}
    if error.description:
        parameters["error_description"] = error.description
    return await _response(to, parameters, issuer=issuer, keys=keys)


async def _response(to: ReplyTo, parameters: Mapping[str, str], *, issuer: str, keys: KeySet) -> AuthorizationResponse:
    answer = dict(parameters)
    if to.state is not None:
        answer["state"] = to.state
    answer["iss"] = issuer
    if to.response_mode.endswith(".jwt"):
        claims = {**answer, "aud": to.client_id, "exp": int(time.time()) + _SIGNED_LIFETIME_S}
        answer = {"response": await keys.sign(claims, typ="JWT", alg=to.signing_alg)}
    return AuthorizationResponse(
        redirect_uri=to.redirect_uri, form_post=to.response_mode.startswith("form_post"), parameters=answer
    )
