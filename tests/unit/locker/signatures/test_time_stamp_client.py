import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator
from functools import cache

import pytest
import pytest_asyncio
from asn1crypto import cms
from cryptography.hazmat.primitives.asymmetric import rsa

from locker.signatures.time_stamp_client import TimeStampAuthorityAway, TimeStampClient
from tests.time_stamp_authority import Authority, listening
from tests.unit.locker.signatures.signature_pki import Holder, issue, name, pki

IMPRINT = hashlib.sha256(b"what existed").digest()


@cache
def rsa_authority() -> Holder:
    key = rsa.generate_private_key(65537, 2048)
    return issue(name("A TSA over HTTP"), by=pki().root, key=key, time_stamping=True, non_repudiation=False)


@pytest_asyncio.fixture
async def authority() -> AsyncIterator[Authority]:
    async with listening(Authority(rsa_authority())) as opened:
        yield opened


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
async def test_a_token_over_the_digest_comes_from_the_authority(authority: Authority, algorithm: str) -> None:
    imprint = hashlib.new(algorithm, b"what existed").digest()
    client = TimeStampClient([authority.address])
    token = cms.ContentInfo.load(await client.token(imprint, algorithm))
    info = token["content"]["encap_content_info"]["content"].parsed
    assert info["message_imprint"]["hashed_message"].native == imprint
    await client.close()


async def test_the_next_authority_is_asked_when_the_first_is_away(authority: Authority) -> None:
    async with listening(Authority(rsa_authority())) as away:
        away.away = True
        client = TimeStampClient([away.address, authority.address])
        assert await client.token(IMPRINT)
        await client.close()
    assert authority.answered == 1


async def test_when_all_are_away_it_says_so_and_names_no_password(authority: Authority) -> None:
    authority.away = True
    client = TimeStampClient([authority.address.replace("//", "//user:secret@")])
    with pytest.raises(TimeStampAuthorityAway) as refused:
        await client.token(IMPRINT)
    assert "503" in str(refused.value.detail)
    assert "secret" not in str(refused.value.detail)
    await client.close()


async def test_an_answer_to_another_question_is_no_answer(authority: Authority) -> None:
    other = Authority(rsa_authority())
    replayed: list[bytes] = []

    def answer(asked: bytes) -> bytes:
        replayed.append(replayed[0] if replayed else other.answer(asked))
        return replayed[0]

    authority.answer = answer  # type: ignore[method-assign]
    client = TimeStampClient([authority.address])
    assert await client.token(IMPRINT)
    with pytest.raises(TimeStampAuthorityAway, match="another question"):
        await client.token(IMPRINT)
    await client.close()


async def test_an_answer_that_drips_is_cut() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            for _ in range(100):
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.05)
        writer.close()

    async with await asyncio.start_server(drip, "127.0.0.1", 0) as server:
        client = TimeStampClient([f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"], timeout_s=0.3)
        async with asyncio.timeout(3):
            with pytest.raises(TimeStampAuthorityAway):
                await client.token(IMPRINT)
        await client.close()


async def test_a_compressed_answer_is_not_opened() -> None:
    async def compressed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\n\x1f\x8b")
        await reader.read()
        writer.close()

    async with await asyncio.start_server(compressed, "127.0.0.1", 0) as server:
        client = TimeStampClient([f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"])
        with pytest.raises(TimeStampAuthorityAway, match="compressed"):
            await client.token(IMPRINT)
        await client.close()
