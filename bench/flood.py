"""What others feel of a flood of hostile files: the p99 of sign-ins and of document lists, quiet and flooded."""

import asyncio
import contextlib
import os
import zlib
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

from bench.world import World

AT_ONCE = 10
FLOODED = ("sign_in_password", "document_list")
"""Measures that are taken quiet and flooded, in turn."""
_MIB = 1024 * 1024


def hostile_files() -> list[bytes]:
    """With KHIZANA_FIXTURES the bombs of others; without, four made here."""
    if folder := os.environ.get("KHIZANA_FIXTURES"):
        return [path.read_bytes() for path in sorted((Path(folder) / "pdf" / "bombs").glob("*.pdf"))]
    nested = b"[" * 200_000 + b"]" * 200_000
    fields = b" ".join(b"%d 0 R" % number for number in range(4, 20_004))
    packed = zlib.compress(b" " * (300 * _MIB), 9)
    stream = b"<< /Type /ObjStm /N 1 /First 4 /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream"
    return [
        _pdf(b"/AcroForm " + nested),
        _pdf(b"/Info [" + b"<< /A " * 50_000 + b"1" + b" >>" * 50_000 + b"]"),
        _pdf(b"/AcroForm << /Fields [%s] >>" % fields, *([b"<< /FT /Sig /T (f) /V 20004 0 R >>"] * 20_000)),
        _pdf(b"/AcroForm 4 0 R /DSS 4 0 R", stream % (len(packed), packed)),
    ]


def _pdf(in_catalog: bytes, *objects: bytes) -> bytes:
    pages = b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>"
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 300] >>"
    bodies = [b"<< /Type /Catalog /Pages 2 0 R %s >>" % in_catalog, pages, page, *objects]
    file, places = bytearray(b"%PDF-1.7\n"), []
    for number, body in enumerate(bodies, 1):
        places.append(len(file))
        file += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(file)
    file += b"xref\n0 %d\n0000000000 65535 f \n" % (len(bodies) + 1)
    file += b"".join(b"%010d 00000 n \n" % place for place in places)
    file += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(bodies) + 1, start)
    return bytes(file)


@contextlib.asynccontextmanager
async def flood(world: World) -> AsyncIterator[Counter[int]]:
    """Ten uploads under way all the time, each file another, from many addresses.

    A comment ends it, and no end mark after that: one without its table would have the gate refuse whatever the file
    does."""
    files, answers = hostile_files(), Counter[int]()
    numbers = iter(range(1_000_000_000))
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:

        async def one_after_the_other() -> None:
            while True:
                number = next(numbers)
                headers = {
                    "Content-Type": "application/pdf",
                    "Accept": "application/json",
                    "X-Forwarded-For": f"10.{20 + number // 62_500 % 200}.{number // 250 % 250}.{number % 250 + 1}",
                }
                body = files[number % len(files)] + b"%% %d\n" % number
                with contextlib.suppress(aiohttp.ClientError):
                    async with http.post(f"{world.url}/v1/verifications", headers=headers, data=body) as answer:
                        await answer.read()
                        answers[answer.status] += 1

        tasks = [asyncio.create_task(one_after_the_other()) for _ in range(AT_ONCE)]
        try:
            await asyncio.sleep(1)  # until the judges are busy
            yield answers
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def flood_line(name: str, quiet: tuple[float, float], flooded: tuple[float, float], answers: Counter[int]) -> Any:
    """Each of the pairs: median and p99 in milliseconds."""
    return {
        "measure": f"flood_{name}",
        "median_ms": round(quiet[0], 1),
        "p99_ms": round(quiet[1], 1),
        "flooded_median_ms": round(flooded[0], 1),
        "flooded_p99_ms": round(flooded[1], 1),
        "times_quiet": round(flooded[1] / quiet[1], 2),
        "hostile_answers": {str(status): count for status, count in sorted(answers.items())},
        "note": f"{AT_ONCE} hostile files at once, two clients; of each kind the round with the lowest p99",
    }
