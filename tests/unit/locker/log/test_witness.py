"""Witnesses as real servers that do what the specification asks of one, and as servers that do not."""

import asyncio
import base64
import time
from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kit.outbound.fetch import Fetcher
from locker.log import witness
from locker.log.checkpoint import read_checkpoint
from locker.log.merkle import is_consistent
from locker.log.sequence import Sequencer, sequence
from locker.log.witness import Witness, WitnessRefused
from tests.sites import Request, Site, authority_files, running_site
from tests.unit.locker.log.log_world import LogWorld, open_log

pytestmark = pytest.mark.asyncio(loop_scope="function")

NAME = "witness.test/w1"


class RealWitness:
    """C2SP tlog-witness, add-checkpoint, for one log."""

    def __init__(self, log_key: str) -> None:
        self.log_key = log_key
        self.key = Ed25519PrivateKey.generate()
        self.material = b"\x04" + self.key.public_key().public_bytes_raw()
        self.key_id = sha256(f"{NAME}\n".encode() + self.material).digest()[:4]
        self.size, self.root = 0, b""
        self.statuses: list[int] = []

    @property
    def verifier_key(self) -> str:
        return f"{NAME}+{self.key_id.hex()}+{base64.b64encode(self.material).decode()}"

    async def answer(self, request: Request) -> web.Response:
        answered = self._answer(request.body.decode())
        self.statuses.append(answered.status)
        return answered

    def _answer(self, body: str) -> web.Response:
        head, _, note = body.partition("\n\n")
        old, *lines = head.split("\n")
        checkpoint = read_checkpoint(note, self.log_key)
        if int(old.removeprefix("old ")) != self.size:
            return web.Response(status=409, text=f"{self.size}\n", headers={"Content-Type": "text/x.tlog.size"})
        proof = [base64.b64decode(line) for line in lines]
        if self.size and not is_consistent(self.size, checkpoint.size, self.root, checkpoint.root, proof):
            return web.Response(status=422)
        assert self.size or not proof
        self.size, self.root = checkpoint.size, checkpoint.root
        return web.Response(text=self.line(checkpoint.text))

    def line(self, text: str, *, timestamp: int | None = None) -> str:
        at = int(time.time()) if timestamp is None else timestamp
        signature = self.key.sign(f"cosignature/v1\ntime {at}\n{text}".encode())
        return f"\N{EM DASH} {NAME} {base64.b64encode(self.key_id + at.to_bytes(8) + signature).decode()}\n"


@pytest_asyncio.fixture
async def site() -> AsyncIterator[Site]:
    async with running_site() as found:
        yield found


@pytest_asyncio.fixture
async def place(new_database: Any, s3: Any) -> AsyncIterator[LogWorld]:
    async with open_log(new_database(), s3) as opened:
        yield opened


@pytest_asyncio.fixture
async def fetcher() -> AsyncIterator[Fetcher]:
    found = Fetcher(ca_file=authority_files()[0], loopback_allowed=True, overall_max_s=1.0)
    yield found
    found.close()


def witnessed(place: LogWorld, fetcher: Fetcher, *named: str) -> Sequencer:
    own = place.sequencer
    return Sequencer(own.db, own.objects, own.key, witnesses=[Witness(each) for each in named], fetcher=fetcher)


async def published(place: LogWorld) -> str:
    note = await place.sequencer.objects.read_checkpoint()
    assert note
    assert read_checkpoint(note, place.sequencer.key.verifier_key).size == await place.value(
        "SELECT size FROM locker.log_head"
    )
    return note


async def test_each_checkpoint_carries_the_cosignature_of_a_witness(
    place: LogWorld, site: Site, fetcher: Fetcher
) -> None:
    real = RealWitness(place.sequencer.key.verifier_key)
    site.answers["/w/add-checkpoint"] = real.answer
    sequencer = witnessed(place, fetcher, f"{site.url('/w/')}#{real.verifier_key}")
    for many in (3, 300, 1):
        await place.act_at_once(many)
        await sequence(sequencer)
        note = await published(place)
        *_, ours, theirs, _end = note.split("\n")
        assert ours.startswith(f"\N{EM DASH} {place.sequencer.key.origin} ")
        assert theirs.startswith(f"\N{EM DASH} {NAME} ")
        assert note == await place.value("SELECT checkpoint FROM locker.log_head")
    assert real.statuses == [200, 200, 200]
    assert real.size == 304


async def test_a_worker_that_starts_anew_learns_what_the_witness_knows(
    place: LogWorld, site: Site, fetcher: Fetcher
) -> None:
    real = RealWitness(place.sequencer.key.verifier_key)
    site.answers["/w/add-checkpoint"] = real.answer
    named = f"{site.url('/w')}#{real.verifier_key}"
    for _ in range(2):
        await place.act_at_once(5)
        sequencer = witnessed(place, fetcher, named)
        await sequence(sequencer)
        await sequencer.close()
        assert NAME in await published(place)
    assert real.statuses == [200, 409, 200]


@pytest.mark.parametrize("fault", ["away", "silent", "503", "409", "another text", "another key", "long", "redirect"])
async def test_a_witness_that_does_not_cosign_is_left_out_and_left_alone_for_a_while(
    place: LogWorld, site: Site, fetcher: Fetcher, fault: str
) -> None:
    real = RealWitness(place.sequencer.key.verifier_key)
    asked = 0

    async def answer(request: Request) -> web.Response:
        nonlocal asked
        asked += 1
        text = request.body.decode().partition("\n\n")[2].rpartition("\n\n")[0] + "\n"
        if fault == "silent":
            await asyncio.sleep(30)
        if fault == "409":
            return web.Response(status=409, text="999999999\n", headers={"Content-Type": "text/x.tlog.size"})
        if fault == "503":
            return web.Response(status=503)
        if fault == "another key":
            return web.Response(text=RealWitness("").line(text))
        if fault == "long":
            return web.Response(text=real.line(text) * 1000)
        if fault == "redirect":
            return web.Response(status=307, headers={"Location": site.url("/elsewhere")})
        return web.Response(text=real.line(text + "extension\n"))

    if fault != "away":
        site.answers["/w/add-checkpoint"] = answer
    other = RealWitness(place.sequencer.key.verifier_key)
    site.answers["/other/add-checkpoint"] = other.answer
    sequencer = witnessed(
        place, fetcher, f"{site.url('/w')}#{real.verifier_key}", f"{site.url('/other')}#{other.verifier_key}"
    )
    for _ in range(2):
        await place.act(2)
        await sequence(sequencer)
        # The one that answers is in, the other one is not, and the log goes on.
        assert (await published(place)).count(NAME) == 1
    assert other.statuses == [200, 200]
    assert asked == (0 if fault == "away" else 1)


async def test_a_witness_is_asked_again_after_its_rest(
    place: LogWorld, site: Site, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(witness, "REST_S", 0.0)
    real = RealWitness(place.sequencer.key.verifier_key)
    sequencer = witnessed(place, fetcher, f"{site.url('/w')}#{real.verifier_key}")
    await place.act(1)
    await sequence(sequencer)
    assert NAME not in await published(place)
    site.answers["/w/add-checkpoint"] = real.answer
    await place.act(1)
    await sequence(sequencer)
    assert NAME in await published(place)


@pytest.mark.parametrize("named", ["", "https://w.test", "https://w.test#w+00000000+BAAA", "https://w.test#{log}"])
async def test_what_names_no_witness_is_refused_at_the_start(place: LogWorld, named: str) -> None:
    with pytest.raises(WitnessRefused):
        Witness(named.format(log=place.sequencer.key.verifier_key))
