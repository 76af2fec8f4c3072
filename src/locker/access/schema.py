"""Who is at the page."""

import datetime as dt
from collections.abc import Mapping

import msgspec

from kit.i18n import Locale

NAME_CLAIMS = ("name", "given_name", "family_name")
"""All that a wallet asks of who signs in (OpenID Connect Core §5.1): it greets, and marks what it shows."""


class StartedSignIn(msgspec.Struct, frozen=True, kw_only=True):
    nonce: str
    code_verifier: str
    return_to: str


class Citizen(msgspec.Struct, frozen=True, kw_only=True):
    """A citizen with a session of ours."""

    owner: str
    """The locker's pairwise ``sub``."""
    session_sha256: bytes
    names: Mapping[str, str]
    """Name claims of the ID token or userinfo: ``name``, ``given_name#ar`` …"""
    acr: str
    id_token: str
    signed_in_s: float | None = None
    """How long ago the provider last saw a proof of who it is, by its word; None: it did not say."""

    def name(self, locale: Locale) -> str:
        """As recorded, in the script of ``locale`` if there is one, else as the provider gives it first."""
        tags = {Locale.AR: ("ar", ""), Locale.ZGH: ("zgh", "ar", "")}.get(locale, (locale.value, "fr", ""))
        for tag in tags:
            whole = self._in("name", tag) or " ".join(
                part for part in (self._in("given_name", tag), self._in("family_name", tag)) if part
            )
            if whole:
                return whole
        return next(iter(self.names.values()), "")

    def _in(self, claim: str, tag: str) -> str:
        wanted = f"{claim}#{tag}" if tag else claim
        return next(
            (v for k, v in self.names.items() if k == wanted or (tag and k.lower().startswith(f"{wanted}-"))), ""
        )


class FreshSession(msgspec.Struct, frozen=True, kw_only=True):
    """What a finished sign-in gives."""

    owner: str
    sid: str | None
    acr: str
    auth_time: dt.datetime | None
    names: Mapping[str, str]
    id_token: str
