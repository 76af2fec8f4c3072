"""Signing keys in a PKCS#11 token: made there, used there, never seen; with SoftHSM as the device."""

import asyncio
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pkcs11
import pytest
import pytest_asyncio
from jose import jwt as other_library

from idp.keys import rotate
from idp.keys.device import KeyDevice
from idp.keys.ring import KeyRing
from kit.errors import Unavailable
from kit.jose import ASYMMETRIC, Algorithm, verify
from tests.conftest import ROOT, Dsns
from tests.provider import Provider, running_provider
from tests.softhsm import LABEL, PIN, Token, make_token

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Token]:
    home = tmp_path_factory.mktemp("softhsm")
    made = make_token(home)
    yield made
    pkcs11.unload(str(made.module))


def device_of(token: Token, folder: Path) -> KeyDevice:
    return KeyDevice(token.module, token=LABEL, pin=PIN, remembered_in=folder)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def device(token: Token, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[KeyDevice]:
    device = device_of(token, tmp_path_factory.mktemp("keys"))
    await rotate.make(device, ASYMMETRIC)
    yield device
    device.close()


async def ring_of(device: KeyDevice) -> KeyRing:
    ring = KeyRing(device)
    await ring.reread()
    return ring


async def another_process(token: Token, pin: str, folder: Path, program: str) -> "subprocess.CompletedProcess[str]":
    """``program`` in a process of its own, where ``place`` is the device."""
    head = f"""
import asyncio
from pathlib import Path
from idp.keys import rotate
from idp.keys.device import KeyDevice
from kit.errors import Unavailable
place = KeyDevice(Path({str(token.module)!r}), token={LABEL!r}, pin={pin!r}, remembered_in=Path({str(folder)!r}))
"""
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", head + textwrap.dedent(program)],
        cwd=ROOT / "src",
        capture_output=True,
        text=True,
        check=True,
    )


def claims() -> dict[str, int]:
    return {"iat": int(time.time()), "exp": int(time.time()) + 600}


@pytest.mark.parametrize("alg", ASYMMETRIC)
async def test_what_the_device_signs_verifies(device: KeyDevice, alg: Algorithm) -> None:
    keys = (await ring_of(device)).current()
    made = await keys.sign(claims(), typ="JWT", alg=alg)
    assert verify(made, keys.public, algorithms=[alg], typ=["jwt"])["exp"] > time.time()
    if alg in ("ES256", "RS256"):
        public = next(key for key in keys.jwks()["keys"] if key["alg"] == alg)
        assert other_library.decode(made, public, algorithms=[alg])


async def test_a_private_key_cannot_be_read_out(device: KeyDevice, token: Token) -> None:
    await device.check()

    def attributes() -> list[tuple[bool, bool]]:
        session = pkcs11.lib(str(token.module)).get_token(token_label=LABEL).open()
        private = list(session.get_objects({pkcs11.Attribute.CLASS: pkcs11.ObjectClass.PRIVATE_KEY}))
        for key in private:
            with pytest.raises(pkcs11.AttributeSensitive):
                key[pkcs11.Attribute.PRIVATE_EXPONENT if key.key_type == pkcs11.KeyType.RSA else pkcs11.Attribute.VALUE]
        found = [(key[pkcs11.Attribute.EXTRACTABLE], key[pkcs11.Attribute.SENSITIVE]) for key in private]
        session.close()
        return found

    assert set(attributes()) == {(False, True)}


async def test_a_key_that_another_node_made_is_found(device: KeyDevice, token: Token) -> None:
    before = {one.name for one in await device.read()}
    made = await another_process(
        token, PIN, token.folder.parent / "other", "print(asyncio.run(rotate.announce(place, 'ES256')))"
    )
    after = await device.read()
    assert {one.name for one in after} - before == {made.stdout.strip()}
    announced = next(one for one in after if one.name == made.stdout.strip())
    assert (await ring_of(device)).current().algorithms() == list(ASYMMETRIC)
    await device.remove(announced)
    assert {one.name for one in await device.read()} == before


async def test_a_wrong_pin_is_tried_once(token: Token, tmp_path: Path, device: KeyDevice) -> None:
    await device.check()
    # One process is signed in as a whole, so the wrong PIN is tried in another one.
    made = await another_process(
        token,
        "wrong1",
        tmp_path,
        """
        async def main():
            for _ in range(3):
                try:
                    await place.read()
                except Unavailable as no:
                    print(type(no.__cause__).__name__)
        asyncio.run(main())
        """,
    )
    assert made.stdout.split() == ["PinIncorrect"] * 3
    assert made.stderr.count("refuses the PIN") == 1


async def test_requests_that_sign_together_all_get_their_own(device: KeyDevice) -> None:
    keys = (await ring_of(device)).current()
    made = await asyncio.gather(*(keys.sign({**claims(), "n": n}, typ="JWT") for n in range(40)))
    assert [verify(one, keys.public, algorithms=["ES256"], typ=["jwt"])["n"] for one in made] == list(range(40))


async def test_more_than_may_wait_are_told_to_come_again(device: KeyDevice) -> None:
    keys = (await ring_of(device)).current()
    made = await asyncio.gather(*(keys.sign(claims(), typ="JWT") for _ in range(600)), return_exceptions=True)
    refused = [one for one in made if isinstance(one, Exception)]
    assert refused
    assert {type(one) for one in refused} == {Unavailable}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def idp(dsns: Dsns, token: Token, device: KeyDevice) -> AsyncIterator[Provider]:
    async with running_provider(dsns.idp, dsns.owner, **token.settings) as provider:
        yield provider


async def test_g_15_without_the_device_nothing_is_signed_and_the_keys_are_still_served(
    idp: Provider, token: Token
) -> None:
    party = await idp.client(
        grant_types=["authorization_code", "client_credentials"],
        token_endpoint_auth_method="private_key_jwt",
        scope="openid subjects:resolve",
        legal_ground="a law",
    )

    async def ask() -> httpx.Response:
        asking = {"grant_type": "client_credentials", "scope": "subjects:resolve", **party.authentication()}
        return await idp.http.post("/idp/token", data=asking)

    assert (await ask()).status_code == 200
    published = (await idp.http.get("/idp/jwks")).content
    token.go_away()
    try:
        refused = await ask()
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) >= 1
        known_at = idp.wiring.keys.read_at
        await idp.wiring.keys.reread()
        assert idp.wiring.keys.read_at == known_at
        again = await idp.http.get("/idp/jwks")
        assert (again.status_code, again.content) == (200, published)
        # A process that starts now still publishes what is known, so that tokens are verified.
        fresh = device_of(token, idp.wiring.settings.keys_folder)
        known = await fresh.read()
        fresh.close()
        assert {one.key.kid for one in known} == {one.key.kid for one in idp.wiring.keys.placed}
    finally:
        token.come_back()
    assert (await ask()).status_code == 200
