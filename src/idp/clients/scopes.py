"""Scopes and types of authorization details: those of the provider itself and of each registered resource server."""

import time
from collections.abc import Collection
from typing import ClassVar

from idp.citizens.claims import SCOPE_CLAIMS
from idp.clients import store
from kit.db import Tx

CLAIMS_OF_SCOPE = {**SCOPE_CLAIMS, "uid": ("uid",)}
"""OpenID Connect Core §5.4; ``uid`` is ours and needs a legal ground."""

OWN = frozenset({"openid", "offline_access", "subjects:resolve", "subjects:translate", *CLAIMS_OF_SCOPE})
SHOWN = ("openid", "profile", "email", "phone", "address", "offline_access")
"""What discovery lists; the rest is not for everybody."""


class Scopes:
    """The scopes known at this moment."""

    NEED_LEGAL_GROUND: ClassVar[frozenset[str]] = frozenset({"uid", "subjects:resolve", "subjects:translate"})

    def __init__(
        self,
        of_resource: dict[str, frozenset[str]],
        sectors: dict[str, str] | None = None,
        details_types: dict[str, frozenset[str]] | None = None,
    ) -> None:
        self.of_resource = of_resource
        self._sectors = sectors or {}
        self._details_types = details_types or {}
        self._all = OWN.union(*of_resource.values())

    @classmethod
    async def load(cls, tx: Tx) -> "Scopes":
        rows = await store.select_resources(tx)
        return cls(
            {row["resource"]: frozenset(row["scopes"]) for row in rows},
            {row["resource"]: row["sector"] for row in rows if row["sector"] is not None},
            {row["resource"]: frozenset(row["details_types"]) for row in rows},
        )

    def sector_of(self, audience: str) -> str | None:
        """The sector in which a resource server knows citizens; None for the client's own."""
        return self._sectors.get(audience)

    def sectors_reached(self, scopes: frozenset[str], details_types: Collection[str] = ()) -> list[str]:
        """Sectors of the resource servers that tokens with ``scopes`` or details of ``details_types`` can be for."""
        return [
            self._sectors[name]
            for name, owned in self.of_resource.items()
            if name in self._sectors and (scopes & owned or self.details_types(name) & frozenset(details_types))
        ]

    def details_types(self, audience: str) -> frozenset[str]:
        """Of authorization details that a resource server consumes."""
        return self._details_types.get(audience, frozenset())

    def known(self, scope: str) -> bool:
        return scope in self._all

    def audience(self, scopes: frozenset[str], resource: str | None, *, issuer: str) -> str | None:
        """The one audience of an access token (RFC 9068 §3): the resource asked for, else the provider itself for
        ``openid``, else the resource server that has these scopes. None where there is no single one."""
        if resource is not None:
            return resource if resource == issuer or resource in self.of_resource else None
        if "openid" in scopes:
            return issuer
        owners = [name for name, owned in self.of_resource.items() if scopes & owned]
        if len(owners) == 1:
            return owners[0]
        return issuer if not owners else None

    def for_audience(self, scopes: frozenset[str], audience: str, *, issuer: str) -> frozenset[str]:
        """Of the granted scopes, those that mean something to ``audience``."""
        return scopes & (OWN if audience == issuer else self.of_resource.get(audience, frozenset()))


class ScopeRegistry:
    """Read again every few seconds: a resource server is registered once in years."""

    def __init__(self, tx: Tx, *, age_max_s: float = 5.0) -> None:
        self._tx = tx
        self._age_max_s = age_max_s
        self._read_at = -age_max_s  # never
        self._scopes = Scopes({})

    async def current(self) -> Scopes:
        if time.monotonic() - self._read_at > self._age_max_s:
            self._scopes = await Scopes.load(self._tx)
            self._read_at = time.monotonic()
        return self._scopes

    def forget(self) -> None:
        """Read again at the next question: after a registration in this very process."""
        self._read_at = -self._age_max_s
