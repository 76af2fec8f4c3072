"""Seal keys in a folder and in a PKCS#11 token (SoftHSM): made there, found there, missing there."""

import asyncio
import stat
from collections.abc import Iterator
from pathlib import Path

import pkcs11
import pytest

from locker.seals.device import SealDevice
from locker.seals.keys import SealKeys
from locker.seals.refusals import SealKeyExists, SealKeyMissing
from locker.seals.schema import SealingRow
from locker.signatures.certificate_request import request_info, request_pem
from locker.signatures.policies import deposit_policy
from locker.signatures.prepare import prepare_signature
from locker.signatures.room import fill
from locker.signatures.sealer import SealingRefused
from locker.signatures.signing_key import SealKey
from tests.certified import certified
from tests.softhsm import LABEL, PIN, Token, make_token
from tests.unit.locker.signatures.signature_pki import NOW, judged, pki, plain_pdf

INTERIOR, JUSTICE = "ma.gov.interieur", "ma.gov.justice"


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Token]:
    made = make_token(tmp_path_factory.mktemp("hsm"))
    yield made
    # Loaded once a process, with the place of its tokens: the next one has another.
    pkcs11.unload(str(made.module))


@pytest.fixture(params=["folder", "device"])
def keys(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SealKeys]:
    device = None
    if request.param == "device":
        token: Token = request.getfixturevalue("token")
        device = SealDevice(token.module, token=LABEL, pin=PIN)
    opened = SealKeys(tmp_path / "seals", device)
    yield opened
    opened.close()


async def enrolled(keys: SealKeys, administration: str) -> tuple[SealKey, SealingRow]:
    key = await keys.make(administration)
    info = request_info(key.public, {"country_name": "MA", "organization_name": "Ministère", "common_name": "Cachet"})
    certificate = certified(request_pem(info, key.public, await keys.sign_with(key, info)))
    chain = (pki().issuing.der,)
    return key, SealingRow(administration=administration, certificate=certificate, chain=chain, registered=True)


async def sealed_by(keys: SealKeys, row: SealingRow) -> bytes:
    sealer = await keys.sealer(row)
    prepared, room = prepare_signature(plain_pdf(), reserved_bytes=sealer.container_size_bytes, at=NOW)
    attributes = sealer.signed_attributes(room.digest)
    return fill(prepared, room, sealer.cms(attributes, await keys.sign(sealer, attributes)))


async def test_a_key_is_made_certified_and_seals(keys: SealKeys, request: pytest.FixtureRequest) -> None:
    administration = f"ma.gov.made{request.node.callspec.indices['keys']}"
    _, row = await enrolled(keys, administration)
    many = await asyncio.gather(*(sealed_by(keys, row) for _ in range(8)))
    for pdf in many[:2]:
        policy = deposit_policy(minimum_level="B")
        verdict = await asyncio.to_thread(judged, pdf, policy=policy, seals=(row.certificate,))
        assert verdict.passed, verdict.reasons
    assert len(set(many)) == 8, "ECDSA never signs twice alike"
    assert await keys.sealer(row) is await keys.sealer(row), "kept, not parsed again"
    with pytest.raises(SealKeyExists):
        await keys.make(administration)


async def test_a_key_that_is_not_there_is_missing(keys: SealKeys) -> None:
    row = SealingRow(administration="ma.gov.nobody", certificate=pki().seal.der, chain=(), registered=True)
    with pytest.raises(SealKeyMissing):
        await keys.sealer(row)


async def test_a_key_seals_under_its_own_certificate_alone(keys: SealKeys, request: pytest.FixtureRequest) -> None:
    administration = f"ma.gov.own{request.node.callspec.indices['keys']}"
    await keys.make(administration)
    row = SealingRow(administration=administration, certificate=pki().seal.der, chain=(), registered=True)
    with pytest.raises(SealingRefused):
        await keys.sealer(row)


async def test_a_key_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    keys = SealKeys(tmp_path / "seals", None)
    await keys.make(INTERIOR)
    assert stat.S_IMODE((tmp_path / "seals" / f"{INTERIOR}.pem").stat().st_mode) == 0o600
    keys.close()


async def test_another_key_in_the_file_takes_effect_without_a_restart(tmp_path: Path) -> None:
    keys = SealKeys(tmp_path, None)
    _, row = await enrolled(keys, INTERIOR)
    await keys.sealer(row)
    (tmp_path / f"{INTERIOR}.pem").unlink()
    await keys.make(INTERIOR)
    with pytest.raises(SealingRefused):
        await keys.sealer(row)
    keys.close()


def test_a_wrong_pin_is_tried_once(token: Token) -> None:
    """A device locks itself after a few. In a process of its own: signing in is for all sessions of a process."""
    import os
    import subprocess
    import sys

    program = f"""
import pkcs11
from pathlib import Path
from locker.seals.device import SealDevice
from locker.seals.refusals import SealKeyMissing
device = SealDevice(Path({str(token.module)!r}), token={LABEL!r}, pin="1111")
for _ in range(5):
    try:
        device.key("ma.gov.interieur")
    except SealKeyMissing as refused:
        print(type(refused.__cause__).__name__)
token = pkcs11.lib({str(token.module)!r}).get_token(token_label={LABEL!r})
print(bool(token.flags & pkcs11.TokenFlag.USER_PIN_LOCKED))
"""
    environment = {**os.environ, "PYTHONPATH": "src"}
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True
    )
    assert answer.stdout.split("\n")[-2] == "False"
    assert answer.stdout.count("PinIncorrect") == 5
