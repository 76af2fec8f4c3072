"""The administrations hand their papers over, through the same interface as anybody's back end."""

import asyncio
import datetime as dt
import secrets
import time
from pathlib import Path
from typing import Any

import httpx
import msgspec

from khizana.demo.documents import Registry
from khizana.demo.kept import Memory
from khizana.demo.papers import Paper
from khizana.demo.register import client_id_of, key_of
from khizana.holder import Holder
from khizana.say import Progress, say
from kit.jose import client_assertion

AT_ONCE = 4
PATIENCE_S = 150.0
"""Longer than the lease of a deposit whose server was killed (``idempotency_lease_s``)."""
SAY_AFTER_S = 5.0
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_BOUNDARY = "khizana-demo-a-line-that-no-paper-has"
_AGAIN = (409, 429, 500, 502, 503, 504)


class DepositRefused(Exception):
    """The locker did not take a paper of the demo: a fault of ours, said in full."""


class Administration:
    """One administration's back end."""

    def __init__(self, http: httpx.AsyncClient, *, issuer: str, client_id: str, folder: Path) -> None:
        self._http = http
        self._issuer = issuer
        self._client_id = client_id
        self._key = key_of(folder, client_id)
        self._token: tuple[str, float] | None = None
        self._asking = asyncio.Lock()

    async def deposit(self, pdf: bytes, request: dict[str, Any], *, idempotency_key: str) -> str:
        """The document_id, also if it was deposited before under this key."""
        body = _multipart(msgspec.json.encode(request), pdf)
        answer = await self._post(
            "/v1/deposits",
            content=body,
            headers={
                "Content-Type": f"multipart/form-data; boundary={_BOUNDARY}",
                "Idempotency-Key": f'"{idempotency_key}"',
            },
        )
        return str(answer["document_id"])

    async def revoke(self, document_id: str, *, reason: str) -> None:
        await self._post(f"/v1/documents/{document_id}/revoke", json={"reason": reason}, headers={})

    async def _post(self, path: str, *, headers: dict[str, str], **body: Any) -> dict[str, Any]:
        began = time.monotonic()
        told = False
        while True:
            token = await self._access_token()
            answer = await self._http.post(path, auth=Holder(self._key, token), headers=headers, **body)
            if answer.is_success:
                found: dict[str, Any] = answer.json()
                return found
            waited_s = time.monotonic() - began
            if answer.status_code not in _AGAIN or waited_s > PATIENCE_S:
                break
            if waited_s > SAY_AFTER_S and not told:
                told = True
                say("waiting for a deposit that was interrupted")
            await asyncio.sleep(0.5)
        raise DepositRefused(f"{path}: {answer.status_code} {answer.text[:1000]}")

    async def _access_token(self) -> str:
        async with self._asking:
            if self._token is None or time.monotonic() > self._token[1]:
                answer = await self._http.post(
                    f"{self._issuer}/token",
                    auth=Holder(self._key),
                    data={
                        "grant_type": "client_credentials",
                        "scope": "documents:deposit",
                        "client_id": self._client_id,
                        "client_assertion_type": _ASSERTION_TYPE,
                        "client_assertion": client_assertion(
                            self._key,
                            client_id=self._client_id,
                            audience=self._issuer,
                            jti=secrets.token_urlsafe(16),
                        ),
                    },
                )
                if not answer.is_success:
                    raise DepositRefused(f"token: {answer.status_code} {answer.text[:1000]}")
                said = answer.json()
                self._token = (said["access_token"], time.monotonic() + said["expires_in"] / 2)
            return self._token[0]


async def deposit_papers(
    http: httpx.AsyncClient, memory: Memory, registry: Registry, papers: tuple[Paper, ...], *, issuer: str
) -> None:
    """Those that are not deposited yet; a paper that replaces another one after it."""
    administrations = {
        identifier: Administration(http, issuer=issuer, client_id=client_id_of(identifier), folder=memory.folder)
        for identifier in {paper.administration for paper in papers}
    }
    waiting = [paper for paper in papers if paper.key not in memory.kept.documents]
    progress = Progress("depositing", len(waiting))
    places = asyncio.Semaphore(AT_ONCE)
    # One paper at a time in its thread: fontTools reads glyphs when they are first asked for, and locks nothing.
    pen = asyncio.Lock()

    async def hand_over(paper: Paper) -> None:
        async with places:
            async with pen:
                pdf = await asyncio.to_thread(_sealed_once, memory, registry, paper)
            document_id = await administrations[paper.administration].deposit(
                pdf, _request(memory, paper), idempotency_key=f"demo-{memory.kept.began_on}-{paper.key}"
            )
        memory.kept.documents[paper.key] = document_id
        memory.save()
        progress.step()

    for wave in ([p for p in waiting if p.replaces is None], [p for p in waiting if p.replaces is not None]):
        try:
            async with asyncio.TaskGroup() as tasks:
                for paper in wave:
                    tasks.create_task(hand_over(paper))
        except* (DepositRefused, httpx.HTTPError) as several:
            raise _first(several) from None
    progress.finish()
    for paper in papers:
        if paper.revoked and paper.key not in memory.kept.revoked:
            await administrations[paper.administration].revoke(
                memory.kept.documents[paper.key], reason="issued-in-error"
            )
            memory.kept.revoked.append(paper.key)
            memory.save()


def _first(several: BaseExceptionGroup[Exception]) -> BaseException:
    """Four deposits that fail at once mostly fail for one reason."""
    found: BaseException = several
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found


def _sealed_once(memory: Memory, registry: Registry, paper: Paper) -> bytes:
    """A seal has another time and another random number each time, and an idempotency key belongs to one body."""
    folder = memory.folder / "documents"
    folder.mkdir(exist_ok=True, mode=0o700)
    file = folder / f"{paper.key}.pdf"
    if not file.exists():
        memory.write(file, registry.sealed(paper))
    return file.read_bytes()


def _request(memory: Memory, paper: Paper) -> dict[str, Any]:
    request: dict[str, Any] = {
        "type": paper.type.code,
        "subject": {"uid": memory.kept.citizens[paper.citizen.key].uid},
        "fields": paper.fields,
        "valid_from": _day(paper.issued_on),
    }
    if paper.valid_until is not None:
        request["valid_until"] = _day(paper.valid_until)
    if paper.replaces is not None:
        request["replaces"] = memory.kept.documents[paper.replaces]
    return request


def _day(day: dt.date) -> str:
    return day.isoformat()


def _multipart(deposit: bytes, pdf: bytes) -> bytes:
    parts = (
        ("deposit", "", "application/json", deposit),
        ("document", '; filename="document.pdf"', "application/pdf", pdf),
    )
    body = b"".join(
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{file}\r\nContent-Type: {kind}\r\n\r\n'.encode()
        + content
        + b"\r\n"
        for name, file, kind, content in parts
    )
    return body + f"--{_BOUNDARY}--\r\n".encode()
