"""The locker's signing keys follow one another: nobody meets an unknown one, nothing that was filed stops to verify."""

import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from kit.errors import Unavailable
from kit.jose import PublicKeys, SigningKey, TokenRefused, header_of, verify
from locker.signing import folder as files
from locker.signing import rotate
from locker.signing.refusals import FolderTaken, KeyUnknown, RotationUnderWay, TooManyKeys
from locker.signing.ring import PUBLISHED_MAX, KeysMissing, SigningKeys

ISSUER, TYP = "https://locker.test", "khizana-receipt+jwt"
DAY_S = 86_400
PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}


@pytest_asyncio.fixture
async def keys(tmp_path: Path) -> AsyncIterator[SigningKeys]:
    ring = SigningKeys(tmp_path / "keys")
    await ring.start()
    yield ring
    await ring.stop()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "keys"


def signed(keys: SigningKeys) -> str:
    return keys.sign({"iss": ISSUER, "iat": int(time.time()), "jti": "one"}, typ=TYP)


def kid_of(token: str) -> str:
    return str(header_of(token)["kid"])


def published(keys: SigningKeys) -> list[str]:
    return [member["kid"] for member in keys.jwks()["keys"]]


def by_others(token: str, keys: SigningKeys) -> dict[str, Any]:
    """With what is published, as anybody does it."""
    return verify(token, PublicKeys(keys.jwks()), algorithms=["ES256"], typ=[TYP], issuer=ISSUER, require=["iat"])


def aged(folder: Path, name: str, *, by_s: int) -> None:
    """As if it had been announced that much earlier."""
    for file in folder.glob(f"{name}.*"):
        file.rename(folder / file.name.replace(name, f"signing-ES256-{int(name.rsplit('-')[-1]) - by_s}"))


async def test_the_next_key_is_published_for_a_day_before_it_signs(keys: SigningKeys, folder: Path) -> None:
    before = kid_of(signed(keys))
    (name,) = rotate.announce(folder)
    await keys.reread()
    assert len(published(keys)) == 2
    assert kid_of(signed(keys)) == before == published(keys)[0]
    assert int(name.rsplit("-")[-1]) >= time.time() + DAY_S - 5

    aged(folder, name, by_s=DAY_S)
    old = signed(keys)
    await keys.reread()
    new = signed(keys)
    assert kid_of(new) != before
    assert kid_of(new) == published(keys)[0]
    for token in (old, new):
        assert by_others(token, keys)
        assert (await keys.verified(token, typ=TYP, issuer=ISSUER)).distrusted_from is None


async def test_what_a_key_signed_verifies_when_its_private_half_is_gone(keys: SigningKeys, folder: Path) -> None:
    old = signed(keys)
    (name,) = rotate.replace(folder)
    assert rotate.retire(folder) == []
    aged(folder, name, by_s=2 * rotate.STILL_SIGNS_S)
    assert rotate.retire(folder) == ["signing-ES256"]
    assert rotate.retire(folder) == []
    assert not (folder / "signing-ES256.pem").exists()
    await keys.reread()
    fresh = SigningKeys(folder)
    await fresh.start()
    for ring in (keys, fresh):
        assert by_others(old, ring)
        assert (await ring.verified(old, typ=TYP, issuer=ISSUER)).claims["jti"] == "one"
        assert kid_of(signed(ring)) != kid_of(old)
    await fresh.stop()


async def test_a_second_rotation_waits_for_the_first(keys: SigningKeys, folder: Path) -> None:
    rotate.announce(folder)
    with pytest.raises(RotationUnderWay):
        rotate.announce(folder)
    with files.alone(folder), pytest.raises(FolderTaken) as taken:
        rotate.replace(folder)
    assert taken.value.code == "keys-folder-taken"


async def test_keys_after_a_theft_have_each_a_moment_of_their_own(keys: SigningKeys, folder: Path) -> None:
    names = [rotate.replace(folder)[0] for _ in range(3)]
    assert len(set(names)) == 3
    await keys.reread()
    assert len(published(keys)) == 4


async def test_two_rotations_at_once_leave_one_announced_key(keys: SigningKeys, folder: Path) -> None:
    command = "import sys, pathlib; from locker.signing import rotate; rotate.announce(pathlib.Path(sys.argv[1]))"
    racing = [
        subprocess.Popen([sys.executable, "-c", command, str(folder)], stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    said = [process.communicate(timeout=60)[1] for process in racing]
    assert sorted(process.returncode for process in racing) == [0, 1, 1, 1]
    assert all("RotationUnderWay" in err or "FolderTaken" in err for err in said if err)
    await keys.reread()
    assert len(published(keys)) == 2


async def test_o_52_no_private_member_is_published_and_one_algorithm_a_key(keys: SigningKeys, folder: Path) -> None:
    (name,) = rotate.replace(folder)
    aged(folder, name, by_s=2 * rotate.STILL_SIGNS_S)
    rotate.retire(folder)
    rotate.announce(folder)
    await keys.reread()
    for members in (keys.jwks()["keys"], keys.historical()["keys"]):
        assert len(members) == 3
        for member in members:
            assert not PRIVATE & member.keys()
            assert (member["alg"], member["use"], member["crv"]) == ("ES256", "sig", "P-256")


async def test_a_stolen_key_is_known_as_one_in_every_process_and_published_as_one(
    keys: SigningKeys, folder: Path
) -> None:
    token = signed(keys)
    with pytest.raises(RotationUnderWay):
        rotate.withdraw(folder, kid_of(token), since=1)
    with pytest.raises(KeyUnknown):
        rotate.withdraw(folder, "nobody", since=1)
    rotate.replace(folder)
    since = int(time.time()) - 60
    rotate.withdraw(folder, kid_of(token), since=since)
    await keys.reread()
    assert (await keys.verified(token, typ=TYP, issuer=ISSUER)).distrusted_from == since
    assert kid_of(token) not in published(keys)
    with pytest.raises(TokenRefused):
        by_others(token, keys)
    revoked = {member["kid"]: member.get("revoked") for member in keys.historical()["keys"]}
    assert revoked.pop(kid_of(token)) == {"revoked_at": since, "reason": "compromised"}
    assert set(revoked.values()) == {None}
    # Said again: the earliest moment stays.
    rotate.withdraw(folder, kid_of(token), since=since + 30)
    await keys.reread()
    assert (await keys.verified(token, typ=TYP, issuer=ISSUER)).distrusted_from == since


async def test_a_node_that_has_its_private_half_still_believes_a_copied_mark(keys: SigningKeys, folder: Path) -> None:
    """And says 503 rather than sign with a key that nobody believes, until its successor is copied too."""
    token, successor = signed(keys), SigningKey.generate("ES256")
    (folder / "signing-ES256.distrusted").write_text("1")
    await keys.reread()
    with pytest.raises(Unavailable):
        signed(keys)
    assert (await keys.verified(token, typ=TYP, issuer=ISSUER)).distrusted_from == 1
    fresh = SigningKeys(folder)
    with pytest.raises(KeysMissing):
        await fresh.start()
    await fresh.stop()
    (folder / "signing-ES256-5.pem").write_bytes(successor.pem())
    await keys.reread()
    assert kid_of(signed(keys)) == successor.kid
    assert rotate.retire(folder) == ["signing-ES256"]


async def test_a_key_that_another_process_made_a_moment_ago_is_met_and_an_invented_one_is_not(
    keys: SigningKeys, folder: Path
) -> None:
    rotate.replace(folder)
    other = SigningKeys(folder)
    await other.start()
    token = signed(other)
    assert (await keys.verified(token, typ=TYP, issuer=ISSUER)).claims["jti"] == "one"
    stranger = SigningKey.generate("ES256")
    with pytest.raises(TokenRefused, match="kid"):
        await keys.verified(stranger.sign({"iss": ISSUER, "iat": 1, "jti": "one"}, typ=TYP), typ=TYP, issuer=ISSUER)
    # The kid of ours over a signature that is not.
    stranger = SigningKey.generate("ES256")
    stranger.kid = kid_of(token)
    with pytest.raises(TokenRefused, match="signature"):
        await keys.verified(stranger.sign({"iss": ISSUER, "iat": 1, "jti": "one"}, typ=TYP), typ=TYP, issuer=ISSUER)
    await other.stop()


async def test_more_keys_than_a_set_may_have_verify_here_and_stand_in_the_archive(
    keys: SigningKeys, folder: Path
) -> None:
    oldest = signed(keys)
    for at in range(1, PUBLISHED_MAX + 5):
        files.create(folder, activates_at=at)
    await keys.reread()
    assert len(published(keys)) == PUBLISHED_MAX
    assert kid_of(signed(keys)) == published(keys)[0]
    assert kid_of(oldest) not in published(keys)
    assert kid_of(oldest) in [member["kid"] for member in keys.historical()["keys"]]
    assert (await keys.verified(oldest, typ=TYP, issuer=ISSUER)).distrusted_from is None


def test_there_are_no_more_keys_than_are_read(tmp_path: Path) -> None:
    public = SigningKey.generate("ES256").pem()
    for at in range(files.KEYS_MAX):
        (tmp_path / f"signing-ES256-{at}.pem").write_bytes(public)
    with pytest.raises(TooManyKeys) as refused:
        rotate.announce(tmp_path)
    assert refused.value.code == "too-many-keys"
    assert len([*tmp_path.glob("*.pem")]) == files.KEYS_MAX


async def test_a_folder_that_cannot_be_read_leaves_what_was_read(keys: SigningKeys, folder: Path) -> None:
    token = signed(keys)
    wrong = folder / "signing-ES256 (copy).pem"
    wrong.write_text("x")
    with pytest.raises(ValueError, match="is named"):
        await keys.reread()
    assert kid_of(signed(keys)) == kid_of(token)
    with pytest.raises(TokenRefused, match="kid"):
        await keys.verified(SigningKey.generate("ES256").sign({}, typ=TYP), typ=TYP, issuer=ISSUER)


KILLED = """
import os, signal, sys, time, pathlib
from locker.signing import folder as files, rotate

folder, what = pathlib.Path(sys.argv[1]), sys.argv[2]
first = files.read(folder, {})["signing-ES256"].key.kid
act = {
    "announce": lambda: rotate.announce(folder),
    "replace": lambda: rotate.replace(folder),
    "withdraw": lambda: rotate.withdraw(folder, first, since=int(time.time())),
    "retire": lambda: rotate.retire(folder),
}[what]
seen = 0

def watch(event, _):
    global seen
    if event in ("open", "os.rename", "os.link", "os.remove"):
        seen += 1
        if seen == int(sys.argv[3]):
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(watch)
act()
"""


@pytest.mark.parametrize("what", ["announce", "replace", "withdraw", "retire"])
async def test_killed_before_any_of_its_steps_a_command_leaves_a_folder_that_works(tmp_path: Path, what: str) -> None:
    killed = 0
    for step in range(1, 60):
        folder = tmp_path / str(step)
        ring = SigningKeys(folder)
        await ring.start()
        old = signed(ring)
        (name,) = rotate.replace(folder)
        aged(folder, name, by_s=2 * rotate.STILL_SIGNS_S)
        ran = subprocess.run([sys.executable, "-c", KILLED, str(folder), what, str(step)], timeout=60, check=False)
        killed += ran.returncode == -9
        await ring.reread()
        assert kid_of(signed(ring)) != kid_of(old)
        assert (await ring.verified(old, typ=TYP, issuer=ISSUER)).claims["jti"] == "one"
        try:
            match what:
                case "announce":
                    rotate.announce(folder)
                case "replace":
                    rotate.replace(folder)
                case "withdraw":
                    rotate.withdraw(folder, kid_of(old), since=1)
                case _:
                    rotate.retire(folder)
        except RotationUnderWay:
            assert what == "announce"
        await ring.reread()
        assert await ring.verified(old, typ=TYP, issuer=ISSUER)
        assert (kid_of(old) in published(ring)) == (what != "withdraw")
        # Whatever was left half-way, no private half outlives its key.
        kept = files.create(folder, activates_at=1)
        for placed in files.read(folder, {}).values():
            if placed.name != kept:
                rotate.withdraw(folder, placed.key.kid, since=1)
        for file in folder.iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name
            assert (b"PRIVATE" in file.read_bytes()) == (file.name == f"{kept}.pem"), file.name
        await ring.stop()
        if ran.returncode == 0:
            break
    assert ran.returncode == 0
    assert killed >= 4
