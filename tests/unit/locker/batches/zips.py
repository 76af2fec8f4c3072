"""Manifests and parts, as an administration's program makes them."""

import hashlib
import io
import json
import secrets
import zipfile
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

import httpx

from tests.locker_world import AMINA, BIRTH, INTERIOR, World


def line(item: str, pdf: bytes, *, file: str | None = None, uid: str = AMINA, **members: Any) -> dict[str, Any]:
    return {
        "item": item,
        "file": file or f"{item}.pdf",
        "sha256": hashlib.sha256(pdf).hexdigest(),
        "type": BIRTH,
        "subject": {"uid": uid},
        "fields": {"family_name": "Alaoui"},
        **members,
    }


def ndjson(lines: Iterable[Any]) -> bytes:
    return b"".join(one if isinstance(one, bytes) else json.dumps(one).encode() + b"\n" for one in lines)


def zipped(files: Mapping[str, bytes], *, method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


BOUNDARY = "khizana-batch-boundary"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"


def multipart(files: Mapping[str, bytes]) -> bytes:
    return b"".join(
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="document"; filename="{name}"\r\n'.encode()
        + b"Content-Type: application/pdf\r\n\r\n"
        + content
        + b"\r\n"
        for name, content in files.items()
    ) + (f"--{BOUNDARY}--\r\n".encode())


def read(answer: httpx.Response) -> list[dict[str, Any]]:
    return [json.loads(one) for one in answer.text.splitlines()]


class Office:
    """An administration's program."""

    def __init__(self, world: World, administration: str = INTERIOR) -> None:
        self._world = world
        self._administration = administration

    @property
    def headers(self) -> dict[str, str]:
        return self._world.machine(self._administration)

    async def register(
        self,
        lines: Iterable[Any] | bytes | AsyncIterator[bytes],
        *,
        key: str | None = None,
        dry_run: bool = False,
    ) -> httpx.Response:
        return await self._world.locker.post(
            "/v1/deposits/batches",
            params={"dry_run": "true"} if dry_run else {},
            content=lines if isinstance(lines, bytes | AsyncIterator) else ndjson(lines),
            headers={**self.headers, "Idempotency-Key": key or secrets.token_hex(8)},
        )

    async def registered(self, lines: Iterable[Any], *, dry_run: bool = False) -> str:
        answer = await self.register(lines, dry_run=dry_run)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["batch_id"])

    async def send(self, batch_id: str, part: Any, content_type: str = "application/zip") -> httpx.Response:
        headers = {**self.headers, "Content-Type": content_type}
        return await self._world.locker.post(f"/v1/deposits/batches/{batch_id}/parts", content=part, headers=headers)

    async def sent(
        self, batch_id: str, part: Any, content_type: str = "application/zip"
    ) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        answer = await self.send(batch_id, part, content_type)
        assert answer.status_code == 200, answer.text
        *lines, end = read(answer)
        return lines, end

    async def get(self, batch_id: str, what: str = "") -> httpx.Response:
        return await self._world.locker.get(f"/v1/deposits/batches/{batch_id}{what}", headers=self.headers)

    async def states(self, batch_id: str) -> dict[str, int]:
        states: dict[str, int] = (await self.get(batch_id)).json()["states"]
        return {state: many for state, many in states.items() if many}

    async def results(self, batch_id: str) -> list[dict[str, Any]]:
        return read(await self.get(batch_id, "/results"))

    async def missing(self, batch_id: str) -> list[str]:
        return [one["item"] for one in read(await self.get(batch_id, "/missing"))]
