"""The worker as ``khizana worker`` opens it: whom it asks whether a relying party stands."""

import json
from typing import Any

import pytest

from khizana import rounds
from kit.errors import Unavailable
from locker.webhooks.deliver import WebhookDelivery
from tests.sites import authority_files
from tests.unit.locker.webhooks.told import Told, open_told


async def test_the_provider_is_believed_by_the_authority_of_its_own_host(
    dsns: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in ``compose.yaml``: without it no relying party would ever be told anything."""
    opened: list[Any] = []

    class Seen(WebhookDelivery):
        def __init__(self, *args: Any, stands: Any, **kwargs: Any) -> None:
            opened.append(stands)
            super().__init__(*args, stands=stands, **kwargs)

    monkeypatch.setattr(rounds, "WebhookDelivery", Seen)
    async with open_told(dsns, s3, tmp_path_factory.mktemp("worker")) as told:
        settings = _at(told)
        async with rounds.opened_jobs(told.world.wiring.db, settings, ca_file=str(authority_files()[0])):
            assert await opened[0]("bank")
            assert not await opened[0]("other")
        async with rounds.opened_jobs(told.world.wiring.db, settings, ca_file=None):
            with pytest.raises(Unavailable):
                await opened[1]("bank")


def _at(told: Told) -> Any:
    """Settings of a locker whose provider is this site."""
    issuer = told.site.url("")
    told.site.serve(
        "/.well-known/openid-configuration",
        json.dumps(
            {
                "issuer": issuer,
                **{
                    name: f"{issuer}/{name}"
                    for name in ("jwks_uri", "authorization_endpoint", "token_endpoint", "introspection_endpoint")
                },
            }
        ),
    )
    told.site.serve("/token_endpoint", json.dumps({"access_token": "x", "token_type": "Bearer", "expires_in": 60}))
    told.site.serve("/clients/standing", json.dumps({"active": ["bank"]}))

    class At:
        def __getattr__(self, name: str) -> Any:
            return issuer if name == "issuer" else getattr(told.world.wiring.settings, name)

    return At()
