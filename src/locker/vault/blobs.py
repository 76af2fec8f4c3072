"""Objects: write-once bytes under random keys. PUT, GET by range, DELETE and LIST only, so that any S3 fits.

``minio`` signs, and lists in a bounded thread pool; all else moves by aiohttp over URLs that it signed and that never
leave this process (0.37 ms of CPU a GET instead of 1.04). A store that drips holds no thread then.
"""

import asyncio
import contextlib
import itertools
import logging
import os
import random
import re
import secrets
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable
from urllib.parse import urlsplit
from xml.etree.ElementTree import ParseError

import aiohttp
import urllib3
from minio import Minio
from minio.error import InvalidResponseError, MinioException, S3Error, ServerError
from yarl import URL

from kit.offload import Offload
from locker.vault.refusals import BlobDamaged, BlobMissing, BlobStoreUnavailable
from locker.vault.schema import Blob, BlobInfo, Capabilities

log = logging.getLogger("locker.vault")

T = TypeVar("T")

PREFIXES = tuple(f"{number:02x}/" for number in range(256))
OBJECT_KEY = re.compile(r"[0-9a-f]{2}/[0-9a-f]{32}\Z")

TRIES = 3
TOTAL_S = 6.0
"""One operation, all its tries included; a PUT or GET of a large body gets a second more for each SLOWEST_BYTES_S."""
SLOWEST_BYTES_S = 1024 * 1024
CONNECT_S = 1.0
INACTIVE_S = 5.0
LIST_MAX = 1000
SIGNED_FOR = timedelta(minutes=10)


def new_object_key() -> str:
    """128 random bits in one of 256 fixed folders: says nothing about the document, and is never used twice."""
    return f"{secrets.token_hex(1)}/{secrets.token_hex(16)}"


def is_object_key(name: str) -> bool:
    """False for what is not ours to sweep: the ``.keep`` files, the log's tiles, probes."""
    return OBJECT_KEY.match(name) is not None


@runtime_checkable
class BlobStore(Protocol):
    """All that the vault asks of a store. Every method is bounded in time and raises the vault's refusals."""

    async def put(self, key: str, body: Callable[[], AsyncIterator[bytes]], length: int, *, repeatable: bool) -> None:
        """Store ``length`` bytes. ``body`` makes a fresh stream for each try; not ``repeatable`` means one try."""

    async def get(self, key: str, *, start: int, length: int) -> Blob:
        """At most ``length`` bytes from ``start``: fewer where the object ends.

        Raises BlobMissing, and BlobDamaged where the object ends before ``start``.
        """

    async def length(self, key: str) -> int | None:
        """None: there is no such object."""

    async def delete(self, key: str) -> None:
        """Deleting what is not there is fine."""

    async def list(self, prefix: str, *, after: str = "", limit: int = LIST_MAX) -> list[BlobInfo]:
        """The first ``limit`` objects, in the order of their keys, whose key is greater than ``after``."""

    async def close(self) -> None: ...


class _Repeat(Exception):
    """The store certainly did nothing, or the operation can be done twice: another try makes sense."""


class S3BlobStore:
    """Create it with ``connect``, inside the loop that it will serve."""

    def __init__(
        self, *, minio: Minio, session: aiohttp.ClientSession, offload: Offload, bucket: str, fsync_root: Path | None
    ) -> None:
        self._minio = minio
        self._session = session
        self._offload = offload
        self._bucket = bucket
        self._fsync_root = fsync_root

    @classmethod
    async def connect(
        cls,
        *,
        endpoint: str,
        access_key: str,
        secret_key: str,
        bucket: str,
        region: str = "us-east-1",
        fsync_root: Path | None = None,
        connections_max: int = 64,
        control_threads: int = 4,
        control_waiting_max: int = 64,
        ca_file: Path | None = None,
    ) -> "S3BlobStore":
        """Opens nothing yet: a process starts while the store is away.

        ``endpoint`` is ``http://host:port`` or ``https://…``. ``fsync_root`` is the folder in which an engine on this
        machine keeps the bucket, for an engine that does not sync what it has acknowledged.
        """
        where = urlsplit(endpoint)
        pool = urllib3.PoolManager(
            maxsize=control_threads,
            block=True,
            timeout=urllib3.Timeout(connect=CONNECT_S, read=INACTIVE_S),
            # What a store asks for in Retry-After, a thread would sleep: an hour, perhaps.
            retries=urllib3.Retry(
                total=1,
                backoff_factor=0.1,
                status_forcelist=[500, 502, 503, 504],
                respect_retry_after_header=False,
            ),
            cert_reqs="CERT_REQUIRED",
            ca_certs=str(ca_file) if ca_file else None,
        )
        minio = Minio(
            where.netloc,
            access_key=access_key,
            secret_key=secret_key,
            secure=where.scheme == "https",
            region=region,
            http_client=pool,
        )
        connector = aiohttp.TCPConnector(
            limit=connections_max,
            # Shorter than any server's own idle time, so that a request seldom meets a closing connection.
            keepalive_timeout=4,
            ssl=ssl.create_default_context(cafile=ca_file) if where.scheme == "https" else True,
        )
        session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            read_bufsize=2**18,
        )
        offload = Offload("object-store", threads=control_threads, waiting_max=control_waiting_max)
        return cls(minio=minio, session=session, offload=offload, bucket=bucket, fsync_root=fsync_root)

    async def close(self) -> None:
        await self._session.close()
        self._offload.close()

    async def put(self, key: str, body: Callable[[], AsyncIterator[bytes]], length: int, *, repeatable: bool) -> None:
        await self._tried(lambda: self._put(key, body, length), tries=TRIES if repeatable else 1, bytes_max=length)
        if self._fsync_root is not None:
            await self._offload.run(_fsync, self._fsync_root / key)

    async def _put(self, key: str, body: Callable[[], AsyncIterator[bytes]], length: int) -> None:
        broken: list[BaseException] = []

        async def watched() -> AsyncIterator[bytes]:
            # aiohttp would turn a fault of the source into a connection error.
            try:
                async with aclosing(body()) as chunks:  # type: ignore[type-var]
                    async for chunk in chunks:
                        yield chunk
            except Exception as fault:
                broken.append(fault)
                raise

        headers = {"Content-Length": str(length), "Content-Type": "application/octet-stream"}
        try:
            async with self._session.put(
                self._signed("PUT", key),
                data=watched(),
                headers=headers,
                timeout=_PATIENCE,
                allow_redirects=False,
            ) as response:
                await _refuse_unexpected(response, key)
        except aiohttp.ClientConnectorError as fault:
            raise _Repeat from fault
        except (aiohttp.ClientError, TimeoutError, OSError) as fault:
            if broken:
                raise broken[0] from None
            # Whether the store has it, half of it or nothing is unknown, and it may still be writing: never sent again
            # under the same key.
            raise BlobStoreUnavailable("put") from fault

    async def get(self, key: str, *, start: int, length: int) -> Blob:
        return await self._tried(lambda: self._get(key, start, length), bytes_max=length)

    async def _get(self, key: str, start: int, length: int) -> Blob:
        headers = {"Range": f"bytes={start}-{start + length - 1}", "Accept-Encoding": "identity"}
        try:
            async with self._session.get(
                self._signed("GET", key), headers=headers, timeout=_PATIENCE, allow_redirects=False
            ) as response:
                await _refuse_unexpected(response, key)
                expected, total = _extent(response, start=start, length=length)
                data = await response.content.readexactly(expected)
                return Blob(data=data, total=total)
        except (aiohttp.ClientError, TimeoutError, OSError, asyncio.IncompleteReadError) as fault:
            raise _Repeat from fault

    async def length(self, key: str) -> int | None:
        # By its first byte: the answer to a HEAD has no body that says whose 404 it is, the object's, the bucket's or a
        # load balancer's, and nothing in it that says whose 200.
        try:
            return (await self.get(key, start=0, length=1)).total
        except BlobMissing:
            return None
        except BlobDamaged:
            return 0

    async def delete(self, key: str) -> None:
        with contextlib.suppress(BlobMissing):
            await self._tried(lambda: self._delete(key))

    async def _delete(self, key: str) -> None:
        try:
            async with self._session.delete(
                self._signed("DELETE", key), timeout=_PATIENCE, allow_redirects=False
            ) as response:
                if response.status == 204:
                    return
                await _refuse_unexpected(response, key)
                # Some engines say 200 and nothing. A page is of somebody before the store, who deletes nothing.
                if await response.content.read(1):
                    raise BlobStoreUnavailable("delete")
        except (aiohttp.ClientError, TimeoutError, OSError) as fault:
            raise _Repeat from fault

    async def list(self, prefix: str, *, after: str = "", limit: int = LIST_MAX) -> list[BlobInfo]:
        def page() -> list[BlobInfo]:
            found = self._minio.list_objects(self._bucket, prefix, recursive=True, start_after=after or None)
            infos = (
                BlobInfo(key=each.object_name or "", length=each.size or 0, modified_at=each.last_modified)
                for each in found
                if (each.object_name or "") > after
            )
            return list(itertools.islice(infos, limit))

        return await self._control(page)

    async def probe(self) -> Capabilities:
        """Ask the engine what it does. Leaves nothing behind. Raises only where it cannot be reached."""
        key = f"00/probe-{secrets.token_hex(8)}"
        content = secrets.token_bytes(1000)
        try:
            await self.put(key, lambda: _once(content), len(content), repeatable=True)
            slice_ = await self._tried(lambda: self._get(key, 100, 50))
            reads_back = slice_.data == content[100:150] and slice_.total == len(content)
            answers_206 = await self._status("GET", key, {"Range": "bytes=0-9"}) == 206
            refuses_overwrite = await self._status("PUT", key, {"If-None-Match": "*"}, b"other") == 412
            refuses_wrong_signature = await self._status("GET", key, {}, spoiled=True) == 403
            lists = key in [each.key for each in await self.list(key)]
            versions = await self._answers("get_bucket_versioning", "status", "Enabled")
            locks_objects = await self._answers("get_object_lock_config", "mode", None)
        finally:
            await self.delete(key)
        return Capabilities(
            reads_back=reads_back,
            answers_206=answers_206,
            lists=lists,
            deletes=await self.length(key) is None,
            refuses_overwrite=refuses_overwrite,
            refuses_wrong_signature=refuses_wrong_signature,
            versions=versions,
            locks_objects=locks_objects,
        )

    async def _status(
        self, method: str, key: str, headers: dict[str, str], data: bytes | None = None, *, spoiled: bool = False
    ) -> int:
        url = self._signed(method, key)
        if spoiled:
            url = URL(str(url)[:-1] + ("0" if str(url)[-1] != "0" else "1"), encoded=True)
        try:
            async with asyncio.timeout(TOTAL_S):
                async with self._session.request(
                    method, url, headers=headers, data=data, timeout=_PATIENCE, allow_redirects=False
                ) as response:
                    return response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as fault:
            raise BlobStoreUnavailable("probe") from fault

    async def _answers(self, method: str, attribute: str, wanted: str | None) -> bool:
        """Whether an optional control call succeeds and says ``wanted`` (None: says anything)."""
        try:
            found = getattr(await self._control(getattr(self._minio, method), self._bucket), attribute, None)
        except (BlobMissing, BlobStoreUnavailable):
            return False
        return found is not None if wanted is None else found == wanted

    def _signed(self, method: str, key: str) -> URL:
        return URL(self._minio.get_presigned_url(method, self._bucket, key, expires=SIGNED_FOR), encoded=True)

    async def _tried(self, once: Callable[[], Awaitable[T]], *, tries: int = TRIES, bytes_max: int = 0) -> T:
        """Repeat ``once`` while it raises _Repeat, within one total time."""
        total_s = TOTAL_S + bytes_max / SLOWEST_BYTES_S
        until = time.monotonic() + total_s
        try:
            async with asyncio.timeout(total_s):
                for attempt in range(1, tries + 1):
                    try:
                        return await once()
                    except _Repeat as fault:
                        if attempt == tries or time.monotonic() >= until:
                            raise BlobStoreUnavailable("object store") from fault
                    await asyncio.sleep(random.uniform(0.02, 0.06) * 2**attempt)  # noqa: S311 - jitter, not a secret
        except TimeoutError as fault:
            raise BlobStoreUnavailable("object store") from fault
        raise AssertionError("unreachable")

    async def _control(self, call: Callable[..., T], *args: Any) -> T:
        try:
            async with asyncio.timeout(TOTAL_S):
                return await self._offload.run(_typed, call, args)
        except TimeoutError as fault:
            raise BlobStoreUnavailable("object store") from fault


def _typed(call: Callable[..., T], args: tuple[Any, ...]) -> T:
    """The one place that knows how minio's exceptions read; some engines answer text/xml, which it refuses."""
    try:
        return call(*args)
    except S3Error as fault:
        code = fault.code or ""
    except InvalidResponseError as fault:
        code = _code_in(str(fault))
    except (ServerError, MinioException, urllib3.exceptions.HTTPError, OSError) as fault:
        raise BlobStoreUnavailable("object store") from fault
    except (ParseError, UnicodeDecodeError) as fault:
        # 200, and not the store's XML: a page of a load balancer, or half an answer.
        raise BlobStoreUnavailable("object store") from fault
    if code in {"NoSuchKey", "NotFound"}:
        raise BlobMissing
    log.critical("the object store refuses us: %s", code)
    raise BlobStoreUnavailable("object store", reason=code)


def _code_in(text: str) -> str:
    found = re.search(r"<Code>(\w+)</Code>", text)
    return found.group(1) if found else ""


async def _refuse_unexpected(response: aiohttp.ClientResponse, key: str) -> None:
    """Returns for 200 and 206; everything else is one of our refusals or another try.

    An object is missing where its store says so: a 404 of anything before it says nothing of the object.
    """
    if response.status in {200, 206}:
        return
    code = _code_in((await response.content.read(4096)).decode("utf-8", "replace"))
    if response.status == 404 and code == "NoSuchKey":
        raise BlobMissing
    if response.status == 416:
        raise BlobDamaged("range")
    if response.status >= 500 or response.status in {408, 429}:
        raise _Repeat
    log.critical("the object store refuses us: %s %s", response.status, code)
    raise BlobStoreUnavailable("object store", reason=code)


def _extent(response: aiohttp.ClientResponse, *, start: int, length: int) -> tuple[int, int]:
    """How many bytes will come and how long the object is. Some engines answer a range with 200 and Content-Range.

    Without Content-Range it may be anything, as the page of a load balancer.
    """
    content_range = re.fullmatch(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15})", response.headers.get("Content-Range", ""))
    if content_range is None:
        raise BlobStoreUnavailable("the object store ignores ranges")
    first, last, total = (int(number) for number in content_range.groups())
    expected = last - first + 1
    if first != start or not 0 < expected <= length:
        raise BlobDamaged("range")
    return expected, total


# No total here: ``_tried`` bounds all tries together, and two timers that end at once would hide one another.
_PATIENCE = aiohttp.ClientTimeout(total=None, connect=INACTIVE_S, sock_connect=CONNECT_S, sock_read=INACTIVE_S)


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content


def _fsync(file: Path) -> None:
    for path in (file, file.parent):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
