"""The authorization response and its address: the answer's parameters, with ``iss`` (RFC 9207) in each."""

from collections.abc import Mapping
from typing import Literal
from urllib.parse import quote, urlsplit

import msgspec

from idp.authorization.refusals import AuthorizationError


class AuthorizationResponse(msgspec.Struct, frozen=True, kw_only=True):
    redirect_uri: str
    response_mode: Literal["query", "form_post"]
    parameters: dict[str, str]

    @property
    def location(self) -> str:
        """``state`` comes back byte for byte: percent-encoded, never ``+``."""
        query = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in self.parameters.items())
        joint = "&" if urlsplit(self.redirect_uri).query else "?"
        return f"{self.redirect_uri}{joint}{query}"


def success(
    redirect_uri: str, response_mode: Literal["query", "form_post"], *, code: str, state: str | None, issuer: str
) -> AuthorizationResponse:
    return _response(redirect_uri, response_mode, {"code": code}, state=state, issuer=issuer)


def failure(
    redirect_uri: str,
    response_mode: Literal["query", "form_post"],
    error: AuthorizationError,
    *,
    state: str | None,
    issuer: str,
) -> AuthorizationResponse:
    parameters = {"error": error.error}
    if error.description:
        parameters["error_description"] = error.description
    return _response(redirect_uri, response_mode, parameters, state=state, issuer=issuer)


def _response(
    redirect_uri: str,
    response_mode: Literal["query", "form_post"],
    parameters: Mapping[str, str],
    *,
    state: str | None,
    issuer: str,
) -> AuthorizationResponse:
    answer = dict(parameters)
    if state is not None:
        answer["state"] = state
    answer["iss"] = issuer
    return AuthorizationResponse(redirect_uri=redirect_uri, response_mode=response_mode, parameters=answer)
