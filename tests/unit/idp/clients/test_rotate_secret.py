"""A client changes over to a new secret without a gap, and the old one does not stay."""

import pytest

from idp.clients.rotate_secret import rotate_secret
from idp.refusals import InvalidClientMetadata
from tests.provider import Provider, RelyingParty

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def opens(idp: Provider, party: RelyingParty, secret: str | None) -> bool:
    response = await idp.http.post(
        "/idp/introspect", data={"client_id": party.client_id, "client_secret": secret or "", "token": "x"}
    )
    assert response.status_code in (200, 401)
    return response.status_code == 200


async def rotated(idp: Provider, party: RelyingParty, *, overlap_s: int = 3_600) -> str:
    answer = await rotate_secret(idp.wiring.db, idp.wiring.audit, party.client_id, overlap_s=overlap_s, officer="test")
    return str(answer["client_secret"])


async def test_both_secrets_are_good_until_the_old_ones_time(idp: Provider) -> None:
    party = await idp.client()
    assert await opens(idp, party, party.secret)
    new = await rotated(idp, party)
    assert await opens(idp, party, new)
    assert await opens(idp, party, party.secret)
    await idp.owner(
        "UPDATE idp.client SET previous_secret_until = now(), revision = revision + 1 WHERE client_id = $1",
        party.client_id,
    )
    assert not await opens(idp, party, party.secret)
    assert await opens(idp, party, new)


async def test_a_second_rotation_ends_the_first_secret(idp: Provider) -> None:
    party = await idp.client()
    second = await rotated(idp, party)
    third = await rotated(idp, party)
    assert [await opens(idp, party, secret) for secret in (party.secret, second, third)] == [False, True, True]


async def test_without_overlap_the_old_secret_ends_at_once(idp: Provider) -> None:
    party = await idp.client()
    new = await rotated(idp, party, overlap_s=0)
    assert [await opens(idp, party, secret) for secret in (party.secret, new, "", "wrong")] == [
        False,
        True,
        False,
        False,
    ]


async def test_a_client_without_a_secret_has_none_to_rotate(idp: Provider) -> None:
    wallet = await idp.wallet()
    with pytest.raises(InvalidClientMetadata):
        await rotated(idp, wallet)
    party = await idp.client()
    with pytest.raises(InvalidClientMetadata):
        await rotated(idp, party, overlap_s=31 * 86_400)


async def test_no_secret_is_at_rest(idp: Provider) -> None:
    party = await idp.client()
    new = await rotated(idp, party)
    rows = await idp.owner("SELECT c::text AS row FROM idp.client c WHERE client_id = $1", party.client_id)
    assert party.secret
    assert all(secret not in rows[0]["row"] for secret in (new, party.secret))
