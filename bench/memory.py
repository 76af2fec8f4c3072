"""Does memory grow with the body? Peaks of the serving workers while documents stream in and out."""

import asyncio
import contextlib
import json
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp

from bench.product import forget_peak, peak_mb, resident_mb
from bench.world import Held, World

SMALL, LARGEST, REFUSED = 1_000_000, 24_900_000, 100_000_000
FRAME_BYTES = 262_144
AT_ONCE = 4


@dataclass(frozen=True)
class Peak:
    before_mb: float
    peak_mb: float


async def memory(world: World) -> list[dict[str, Any]]:
    """One line a direction. The peak is that of the worker with most."""
    lines = []
    stored: dict[int, tuple[str, Held]] = {}
    citizen, machine = (await world.citizens())[0], await world.machine()
    wallet = await world.wallet(citizen)
    # Whatever is loaded with the first document is there before anything is compared.
    small = await world.pdf(SMALL)
    await asyncio.gather(*(world.deposit(citizen, small, machine) for _ in range(8)))
    ins, outs = {}, {}
    for size in (SMALL, LARGEST):
        pdf = await world.pdf(size)
        async with _peak(world) as seen:
            documents = await asyncio.gather(*(world.deposit(citizen, pdf, machine) for _ in range(AT_ONCE)))
        ins[size], stored[size] = seen[0], (documents[0], wallet)
    for size, (document_id, holder) in stored.items():
        async with _peak(world) as seen:
            await asyncio.gather(*(_download(world, document_id, holder) for _ in range(AT_ONCE)))
        outs[size] = seen[0]
    lines.append(_line("memory_deposit", ins, f"{AT_ONCE} bodies at once of the largest size that is taken"))
    lines.append(_line("memory_original", outs, f"{AT_ONCE} downloads at once"))
    async with _peak(world) as seen:
        statuses = await asyncio.gather(*(_stream_too_much(world, machine) for _ in range(AT_ONCE)))
    note = f"{AT_ONCE} endless bodies at once, without a Content-Length; answers: {sorted(set(statuses))}"
    lines.append(_line("memory_refused", {REFUSED: seen[0]}, note))
    return lines


@contextlib.asynccontextmanager
async def _peak(world: World) -> AsyncIterator[list[Peak]]:
    workers, seen = world.product.workers(), list[Peak]()
    forget_peak(workers)
    before = resident_mb(workers)
    yield seen
    seen.append(Peak(before, peak_mb(workers)))


async def _download(world: World, document_id: str, holder: Held) -> None:
    path = f"/v1/documents/{document_id}/original"
    async with world.http.get(world.url + path, headers=holder.headers("GET", path)) as answer:
        assert answer.status == 200, await answer.text()
        async for _ in answer.content.iter_chunked(FRAME_BYTES):
            pass


async def _stream_too_much(world: World, machine: Held) -> str:
    """The status, or what the client met that went on sending after the answer."""
    boundary = "khizana-bench-endless"

    async def body() -> AsyncIterator[bytes]:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="document"; filename="d.pdf"\r\n'
        yield head.encode() + b"Content-Type: application/pdf\r\n\r\n%PDF-1.7\n"
        frame = secrets.token_bytes(FRAME_BYTES)
        for _ in range(REFUSED // FRAME_BYTES):
            yield frame

    headers = {
        **machine.headers("POST", "/v1/deposits"),
        "Content-Type": f"multipart/form-data; boundary={boundary}",
        "Idempotency-Key": f'"{secrets.token_hex(8)}"',
    }
    try:
        async with world.http.post(f"{world.url}/v1/deposits", headers=headers, data=body()) as answer:
            return f"{answer.status} {json.loads(await answer.text()).get('code')}"
    except aiohttp.ClientError as fault:
        return type(fault).__name__


def _line(name: str, peaks: dict[int, Peak], note: str) -> dict[str, Any]:
    largest, smallest = max(peaks), min(peaks)
    return {
        "measure": name,
        "body_mb": largest / 1e6,
        "peak_mb": round(peaks[largest].peak_mb, 1),
        "before_mb": round(peaks[largest].before_mb, 1),
        "peak_mb_with_1_mb": round(peaks[smallest].peak_mb, 1) if smallest != largest else None,
        "n": AT_ONCE,
        "note": note,
    }
