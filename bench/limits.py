"""What the machine can do at most, measured in the same run: each speed of ours is a share of one of these."""

import asyncio
import hashlib
import itertools
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import argon2
import asyncpg
import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bench.product import WORKERS
from bench.small_server import small_server
from bench.world import ADMINISTRATION, AT_ONCE, MACHINE, World
from locker.administrations.identify import identify
from locker.catalogue.schema import SignatureRequirement
from locker.deposits.judge import policy_of
from locker.documents import read_store
from locker.signatures.judge import SignatureJudge, signature_workers
from locker.signatures.policies import VERIFY
from locker.trust.register import TrustRegister
from locker.vault import new_object_key
from locker.vault.blobs import S3BlobStore
from locker.vault.streaming import HEADER_BYTES, Decryptor, Encryptor

BLOCK = 1 << 20
Once = Callable[[], Awaitable[object]]


@dataclass(frozen=True)
class Limit:
    name: str
    rate: Callable[[float], Awaitable[float]]
    """Seconds → operations a second."""


async def rate_of(once: Once, seconds: float, *, at_once: int) -> float:
    done, stop_at = 0, time.perf_counter() + seconds
    started = time.perf_counter()

    async def worker() -> None:
        nonlocal done
        while time.perf_counter() < stop_at:
            await once()
            done += 1

    await asyncio.gather(*(worker() for _ in range(at_once)))
    return done / (time.perf_counter() - started)


def rate_in_threads(once: Callable[[], object], seconds: float, *, threads: int) -> float:
    started = time.perf_counter()

    def worker() -> int:
        done, stop_at = 0, time.perf_counter() + seconds
        while time.perf_counter() < stop_at:
            once()
            done += 1
        return done

    with ThreadPoolExecutor(threads) as pool:
        done = sum(pool.map(lambda _: worker(), range(threads)))
    return done / (time.perf_counter() - started)


class Limits:
    def __init__(self, world: World) -> None:
        self._world = world
        self._connecting = asyncio.Lock()
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._judge: SignatureJudge | None = None
        self._blobs: S3BlobStore | None = None
        self._bare_url: str | None = None

    # -- the database ----------------------------------------------------------------------------------------------

    async def _connections(self) -> "asyncpg.Pool[asyncpg.Record]":
        if self._pool is not None:
            return self._pool
        async with self._connecting:
            if self._pool is None:
                self._pool = await self._connect()
        return self._pool

    async def _connect(self) -> "asyncpg.Pool[asyncpg.Record]":
        dsn = self._world.product.environ["KHIZANA_OWNER_DATABASE_URL"]

        async def keep(_: object) -> None:
            """As in kit.db: no round trip of its own."""

        pool = await asyncpg.create_pool(dsn, min_size=AT_ONCE, max_size=AT_ONCE, reset=keep)
        assert pool is not None
        self._world.stack.push_async_callback(pool.close)
        await pool.execute("CREATE SCHEMA IF NOT EXISTS bench")
        await pool.execute("CREATE TABLE IF NOT EXISTS bench.row (id bytea PRIMARY KEY, body bytea NOT NULL)")
        return pool

    async def _commit(self) -> None:
        pool = await self._connections()
        await pool.execute("INSERT INTO bench.row VALUES ($1, $2)", secrets.token_bytes(16), bytes(200))

    async def _select(self) -> None:
        pool = await self._connections()
        await pool.fetchrow("SELECT client_id, metadata FROM idp.client WHERE client_id = $1", MACHINE)

    def commits(self) -> Limit:
        return Limit("PostgreSQL commits of one row", lambda s: rate_of(self._commit, s, at_once=AT_ONCE))

    def selects(self) -> Limit:
        return Limit("PostgreSQL selects of one row", lambda s: rate_of(self._select, s, at_once=AT_ONCE))

    def listing(self, owner: str) -> Limit:
        async def once() -> None:
            await read_store.listed(self._world.locker_db, owner=owner, after=None, limit=51)

        return Limit("the same SELECT alone, one process", lambda s: rate_of(once, s, at_once=AT_ONCE))

    # -- processor -------------------------------------------------------------------------------------------------

    def argon2_hashes(self) -> Limit:
        hasher = argon2.PasswordHasher(memory_cost=19_456, time_cost=2, parallelism=1)
        return self._threads("Argon2id hashes", lambda: hasher.hash("Zellige vert 42 matin"), WORKERS)

    def es256_signatures(self) -> Limit:
        key = ec.generate_private_key(ec.SECP256R1())
        algorithm = ec.ECDSA(hashes.SHA256())
        return self._threads("ES256 signatures, one core", lambda: key.sign(b"header.claims", algorithm), 1)

    def sha256_blocks(self) -> Limit:
        block = bytes(BLOCK)
        return self._threads("SHA-256 MiB, one core", lambda: hashlib.sha256(block).digest(), 1)

    def aes_gcm_blocks(self) -> Limit:
        cipher, block = AESGCM(bytes(32)), bytes(BLOCK)
        return self._threads("AES-256-GCM MiB, one core", lambda: cipher.encrypt(bytes(12), block, None), 1)

    def _threads(self, name: str, once: Callable[[], object], threads: int) -> Limit:
        return Limit(name, lambda s: asyncio.to_thread(rate_in_threads, once, s, threads=threads))

    # -- HTTP ------------------------------------------------------------------------------------------------------

    async def bare_url(self) -> str:
        """An ASGI application that does nothing, behind the same server with as many workers."""
        if self._bare_url is None:
            log = self._world.folder / "bare.log"
            bare = await self._world.stack.enter_async_context(small_server("bare.py", log=log, ready=self._answers))
            self._bare_url = f"http://127.0.0.1:{bare.port}"
        return self._bare_url

    async def _answers(self, port: int) -> bool:
        async with self._world.http.get(f"http://127.0.0.1:{port}") as answer:
            return answer.status == 200

    # -- judging and storing ---------------------------------------------------------------------------------------

    async def _judging(self) -> SignatureJudge:
        if self._judge is None:
            pool = signature_workers(workers=WORKERS, waiting_max=AT_ONCE)
            self._world.stack.push_async_callback(pool.close)
            await pool.start()
            self._judge = SignatureJudge(pool)
        return self._judge

    async def _judge_once(self, pdfs: Sequence[Path], *, as_deposit: bool) -> Once:
        judge, db = await self._judging(), self._world.locker_db
        depositor = await identify(db, client_id=MACHINE) if as_deposit else None
        assert depositor is None or depositor.administration == ADMINISTRATION
        trust = await TrustRegister().trust(db, depositor)
        policy = policy_of(SignatureRequirement(), size_max_bytes=25_000_000) if as_deposit else VERIFY

        questions = itertools.count()

        async def once() -> None:
            # Another question each time: a verdict given a moment ago would be given again.
            number = next(questions)
            asked = msgspec.structs.replace(policy, version=str(number))
            assert (await judge.validate(pdfs[number % len(pdfs)], trust=trust, policy=asked)).passed

        return once

    async def judgements(self, pdfs: Sequence[Path], *, as_deposit: bool) -> Limit:
        once = await self._judge_once(pdfs, as_deposit=as_deposit)
        return Limit(
            f"validations by our own judge alone, {WORKERS} processes, each as if new",
            lambda s: rate_of(once, s, at_once=WORKERS),
        )

    async def judgement_and_commits(self, pdfs: Sequence[Path]) -> Limit:
        judge = await self._judge_once(pdfs, as_deposit=True)

        async def once() -> None:
            await judge()
            await self._commit()
            await self._commit()

        return Limit(
            "validation by our own judge, as if new, then two commits, in turn", lambda s: rate_of(once, s, at_once=1)
        )

    async def blobs(self) -> S3BlobStore:
        if self._blobs is None:
            settings = self._world.product.deployment.locker_settings()
            self._blobs = await S3BlobStore.connect(
                endpoint=settings.s3_endpoint,
                access_key=settings.s3_access_key,
                secret_key=settings.s3_secret_key,
                bucket=settings.s3_bucket,
                region=settings.s3_region,
                fsync_root=settings.s3_fsync_folder,
            )
            self._world.stack.push_async_callback(self._blobs.close)
        return self._blobs

    async def put(self, data: bytes) -> str:
        key = new_object_key()

        async def body() -> AsyncIterator[bytes]:
            yield data

        await (await self.blobs()).put(key, body, len(data), repeatable=True)
        return key

    async def puts(self, size: int) -> Limit:
        data = secrets.token_bytes(size)
        return Limit(
            f"S3 PUT of {size // 1000} kB with fsync", lambda s: rate_of(lambda: self.put(data), s, at_once=AT_ONCE)
        )

    async def gets(self, size: int) -> Limit:
        key, blobs = await self.put(secrets.token_bytes(size)), await self.blobs()
        name = f"S3 GET of {size // 1000} kB"
        return Limit(name, lambda s: rate_of(lambda: blobs.get(key, start=0, length=size), s, at_once=AT_ONCE))

    async def opening(self, size: int) -> Limit:
        """What no opening can do without: two statements that commit, one GET, the decryption."""
        key, plaintext = secrets.token_bytes(32), secrets.token_bytes(size)
        encryptor = Encryptor(key, b"bench")
        sealed = encryptor.header + encryptor.update(plaintext) + encryptor.finalize()
        place, blobs = await self.put(sealed), await self.blobs()

        async def once() -> None:
            await self._commit()
            blob = await blobs.get(place, start=0, length=len(sealed))
            opened = Decryptor(key, b"bench", blob.data[:HEADER_BYTES], length=size).open(0, blob.data)
            assert len(opened) == size
            await self._commit()

        name = f"two commits, one S3 GET and the decryption of {size // 1000} kB, one after the other"
        return Limit(name, lambda s: rate_of(once, s, at_once=1))
