"""Keys at an address of the client's: fetched once, kept, fetched again when a new one signs."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest
import pytest_asyncio

from idp.clients.key_sets import KeySets, NoKeys
from idp.clients.schema import Client, ClientMetadata
from kit.jose import SigningKey
from kit.outbound.fetch import Fetcher, FetchRefused
from tests.conftest import Dsns
from tests.provider import RelyingParty, running_provider
from tests.sites import Site, authority_files, running_site

pytestmark = pytest.mark.asyncio(loop_scope="module")

OLD, NEW = SigningKey.generate("ES256"), SigningKey.generate("ES256")


@pytest_asyncio.fixture(loop_scope="module")
async def site() -> AsyncIterator[Site]:
    async with running_site() as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def fetcher() -> AsyncIterator[Fetcher]:
    found = Fetcher(ca_file=authority_files()[0], loopback_allowed=True)
    yield found
    found.close()


def sets(fetcher: Fetcher, **changed: Any) -> KeySets:
    return KeySets(fetcher, refused=(FetchRefused,), **changed)


def at(site: Site, *keys: SigningKey) -> Client:
    url = site.serve("/jwks", json.dumps({"keys": [key.public_jwk for key in keys]}))
    return Client(
        client_id="rp",
        profile="fapi2",
        sector="rp",
        legal_ground=None,
        state="active",
        metadata=ClientMetadata(client_name="RP", jwks_uri=url),
        secret_sha256=None,
        revision=1,
        keys=None,
    )


async def test_what_one_client_asked_holds_no_other_up(site: Site, fetcher: Fetcher) -> None:
    """oidcc-refresh-token-rp-key-rotation twice within a minute: a new client at the address of the one before."""
    key_sets, client = sets(fetcher), at(site, OLD)
    await key_sets.keys_of(client, kid=OLD.kid)
    after = msgspec.structs.replace(at(site, NEW), client_id="rp-2")
    assert (await key_sets.keys_of(after, kid=NEW.kid)).knows(NEW.kid)


async def test_callers_at_the_same_time_share_one_fetch_and_the_next_needs_none(site: Site, fetcher: Fetcher) -> None:
    key_sets, client = sets(fetcher), at(site, OLD)
    found = await asyncio.gather(*(key_sets.keys_of(client, kid=OLD.kid) for _ in range(5)))
    assert all(keys.knows(OLD.kid) for keys in found)
    await key_sets.keys_of(client, kid=None)
    assert site.requests.qsize() == 1


async def test_an_unknown_kid_fetches_again_but_not_within_the_minute(site: Site, fetcher: Fetcher) -> None:
    patient, eager, client = sets(fetcher), sets(fetcher, refresh_min_s=-1), at(site, OLD)
    for key_sets in (patient, eager):
        await key_sets.keys_of(client, kid=OLD.kid)
    at(site, OLD, NEW)
    assert not (await patient.keys_of(client, kid=NEW.kid)).knows(NEW.kid)
    assert (await eager.keys_of(client, kid=NEW.kid)).knows(NEW.kid)
    assert site.requests.qsize() == 3


@pytest.mark.parametrize("broken", ["away", "no JSON", "no keys", "private"])
async def test_a_fetch_that_fails_leaves_the_keys_that_were_there(site: Site, fetcher: Fetcher, broken: str) -> None:
    key_sets, client = sets(fetcher, refresh_min_s=-1), at(site, OLD)
    await key_sets.keys_of(client, kid=OLD.kid)
    bodies = {"no JSON": "x", "no keys": '{"keys":[]}', "private": '{"keys":[{"kty":"oct","k":"AAAA"}]}'}
    if broken == "away":
        site.refuse("/jwks", 503)
    else:
        site.serve("/jwks", bodies[broken])
    assert (await key_sets.keys_of(client, kid=NEW.kid)).knows(OLD.kid)
    with pytest.raises(NoKeys):
        await sets(fetcher).keys_of(client, kid=OLD.kid)


async def test_a_client_signs_with_its_next_key_at_once(site: Site, dsns: Dsns) -> None:
    at(site, OLD)
    settings: dict[str, Any] = {"outbound_ca_file": authority_files()[0], "outbound_loopback": True}
    async with running_provider(dsns.idp, dsns.owner, **settings) as idp:
        party = await idp.client(
            profile="machine",
            token_endpoint_auth_method="private_key_jwt",
            jwks=None,
            jwks_uri=site.url("/jwks"),
            redirect_uris=[],
            grant_types=["client_credentials"],
            scope="documents:deposit",
        )

        async def asked(key: SigningKey) -> httpx.Response:
            by = RelyingParty(party.client_id, key=key, dpop=party.dpop)
            return await idp.token(by, {"grant_type": "client_credentials", **by.authentication()})

        assert (await asked(OLD)).status_code == 200
        assert (await asked(NEW)).status_code == 401
        site.refuse("/jwks", 500)
        assert (await asked(OLD)).status_code == 200
