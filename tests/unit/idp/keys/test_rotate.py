"""Signing keys follow one another without anybody meeting an unknown one."""

import asyncio
import time
from pathlib import Path

import pytest

from idp.keys import rotate
from idp.keys.folder import KeyFolder, create
from idp.keys.keep_rotating import keep_rotating
from idp.keys.refusals import KeyUnknown, RotationUnderWay
from idp.keys.ring import KeyRing, KeysMissing
from kit.audit import Audit
from kit.db import Database
from kit.errors import Unavailable
from kit.jose import ASYMMETRIC, TokenRefused, verify
from tests.provider import signing_keys

DAY_S = 86_400


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, pem in signing_keys().items():
        # As old as a quarter of a year, so that rotations have a past.
        alg = name.split("-")[0]
        (tmp_path / f"{alg}-{int(time.time()) - 90 * DAY_S}.pem").write_bytes(pem)
    return tmp_path


async def ring_of(folder: Path) -> KeyRing:
    ring = KeyRing(KeyFolder(folder))
    await ring.reread()
    return ring


def signed(token: str, ring: KeyRing) -> bool:
    try:
        verify(token, ring.current().public, algorithms=["ES256", "EdDSA"], typ=["jwt"])
    except TokenRefused:
        return False
    return True


def claims() -> dict[str, int]:
    return {"iat": int(time.time()), "exp": int(time.time()) + 600}


async def test_the_next_key_is_published_for_a_day_before_it_signs(folder: Path) -> None:
    ring = await ring_of(folder)
    before = ring.current()
    name = await rotate.announce(KeyFolder(folder), "ES256")
    await ring.reread()
    after = ring.current()
    assert len(after.keys) == len(before.keys) + 1
    assert int(name.split("-")[1]) >= time.time() + DAY_S - 5
    token = await after.sign(claims(), typ="JWT")
    assert signed(token, await ring_of(folder))
    # Its old predecessor made it: the new one does not sign yet.
    (folder / f"{name}.pem").unlink()
    await ring.reread()
    assert signed(token, ring)


async def test_a_second_rotation_waits_for_the_first(folder: Path) -> None:
    place = KeyFolder(folder)
    await rotate.announce(place, "ES256")
    with pytest.raises(RotationUnderWay):
        await rotate.announce(place, "ES256")
    await rotate.announce(place, "EdDSA")


async def test_o_52_a_token_of_the_old_key_verifies_until_it_expired_and_not_longer(folder: Path) -> None:
    place, ring = KeyFolder(folder), await ring_of(folder)
    token = await ring.current().sign(claims(), typ="JWT")
    create(folder, "ES256", activates_at=int(time.time()) - 100)
    await ring.reread()
    assert signed(token, ring)
    assert await rotate.retire(place, longest_token_lifetime_s=600) == []
    retired = await rotate.retire(place, longest_token_lifetime_s=60)
    assert [name.split("-")[0] for name in retired] == ["ES256"]
    await ring.reread()
    assert not signed(token, ring)


async def test_after_a_theft_the_new_key_signs_at_once_and_the_old_one_is_worth_nothing(folder: Path) -> None:
    place, ring = KeyFolder(folder), await ring_of(folder)
    forged = await ring.current().sign(claims(), typ="JWT")
    stolen = next(one.key.kid for one in ring.placed if one.alg == "ES256")
    with pytest.raises(RotationUnderWay):
        await rotate.withdraw(place, stolen)
    await rotate.replace(place, "ES256")
    await rotate.replace(place, "ES256")
    await rotate.withdraw(place, stolen)
    await ring.reread()
    assert not signed(forged, ring)
    with pytest.raises(KeyUnknown):
        await rotate.withdraw(place, stolen)


async def test_a_rotation_is_due_a_day_before_the_key_has_served_its_time(folder: Path) -> None:
    placed, now = await KeyFolder(folder).read(), time.time()
    assert rotate.due(placed, lifetime_s=92 * DAY_S, now=now) == []
    assert rotate.due(placed, lifetime_s=91 * DAY_S, now=now) == ["ES256", "RS256", "PS256", "EdDSA"]
    await rotate.announce(KeyFolder(folder), "RS256")
    placed = await KeyFolder(folder).read()
    assert rotate.due(placed, lifetime_s=91 * DAY_S, now=now) == ["ES256", "PS256", "EdDSA"]


async def test_of_many_workers_one_announces_the_next_key(folder: Path, idp_db: Database) -> None:
    for path in [*folder.glob("RS256-*"), *folder.glob("PS256-*")]:
        path.unlink()

    async def work() -> list[str]:
        return await keep_rotating(
            idp_db, Audit("idp"), KeyFolder(folder), lifetime_s=80 * DAY_S, longest_token_lifetime_s=600
        )

    announced = [name for names in await asyncio.gather(*(work() for _ in range(8))) for name in names]
    assert sorted(name.split("-")[0] for name in announced) == ["ES256", "EdDSA"]
    assert {one.name for one in await KeyFolder(folder).read()} >= set(announced)
    assert await work() == []
    events = await idp_db.fetch("SELECT detail, actor_kind FROM idp.audit WHERE action = 'keys.rotated'")
    assert sorted(name for event in events for name in event["detail"]["keys"]) == sorted(announced)
    assert {event["actor_kind"] for event in events} == {"system"}


async def test_an_operator_may_keep_rotation_to_herself(folder: Path, idp_db: Database) -> None:
    work = keep_rotating(idp_db, Audit("idp"), KeyFolder(folder), lifetime_s=0, longest_token_lifetime_s=600)
    assert await work == []
    assert len(await KeyFolder(folder).read()) == len(ASYMMETRIC)


async def test_a_ring_without_what_everybody_needs_does_not_start(folder: Path) -> None:
    for path in folder.glob("ES256-*.pem"):
        path.unlink()
    with pytest.raises(KeysMissing):
        await KeyRing(KeyFolder(folder)).start()


async def test_an_algorithm_without_a_key_is_unavailable_and_not_advertised(folder: Path) -> None:
    for path in folder.glob("EdDSA-*.pem"):
        path.unlink()
    ring = await ring_of(folder)
    assert ring.current().algorithms() == ["ES256", "RS256", "PS256"]
    with pytest.raises(Unavailable):
        await ring.current().sign(claims(), typ="JWT", alg="EdDSA")


async def test_the_set_stays_one_object_while_nothing_changes(folder: Path) -> None:
    ring = await ring_of(folder)
    before = ring.current()
    await ring.reread()
    assert ring.current() is before
    assert b'"d"' not in before.published
