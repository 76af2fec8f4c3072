"""A folder of documents and its manifest, handed over as a batch; started again, it goes on where it was.

The folder holds ``manifest.ndjson`` and the PDFs. Beside them this writes ``batch.json`` (which batch it is) and
``results.ndjson`` (what became of each line).
"""

import asyncio
import hashlib
import io
import math
import os
import time
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import httpx
import msgspec

from khizana.cli import CommandRefused
from khizana.holder import Holder
from khizana.say import Progress, say
from kit import strict_json
from kit.ids import new_public_id
from kit.jose import SigningKey, client_assertion

MANIFEST, RESULTS, STATE = "manifest.ndjson", "results.ndjson", "batch.json"
PART_MAX_BYTES = 8_000_000
PART_FILES_MAX = 100
ROUNDS_MAX = 5
"""Without any progress in between."""
PATIENCE_S = 150.0
"""Longer than a lease of a request whose server was killed."""
_WAIT_MAX_S = 30.0
_AGAIN = (409, 429, 500, 502, 503, 504)
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_LISTED_MAX = 5
_FILES = {"file": "sha256", "data_file": "data_sha256", "data_signature_file": "data_signature_sha256"}
"""Of a line, and where the digest of each stands."""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """``batch.json``."""

    batch_id: str
    manifest_sha256: str
    dry_run: bool


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    batch_id: str
    dry_run: bool
    states: dict[str, int]
    results: str
    seconds: float

    @property
    def all_well(self) -> bool:
        return not (self.states.get("refused") or self.states.get("awaiting"))


class Office:
    """An administration's program: it holds a token, and repeats what got no answer."""

    def __init__(self, http: httpx.AsyncClient, *, locker: str, issuer: str, client_id: str, key: SigningKey) -> None:
        self._http = http
        self._locker = locker
        self._issuer = issuer
        self._client_id = client_id
        self._key = key
        self._token: tuple[str, float] | None = None
        self._asking = asyncio.Lock()
        self._answered_at = -math.inf

    async def send(
        self, method: str, path: str, *, expected: Sequence[int], into: BinaryIO | None = None, **parts: Any
    ) -> httpx.Response:
        """CommandRefused for every other answer, and where nothing that is asked gets one for too long: while others
        are answered, this one waits for its place.

        The expected one's body is written to ``into`` as it comes, where there is one: all of it or, if it breaks off,
        once more from its beginning.
        """
        began, wait_s = time.monotonic(), 0.5
        while True:
            try:
                token = await self._access_token()
                asking = self._http.stream(method, f"{self._locker}{path}", auth=Holder(self._key, token), **parts)
                async with asking as answer:
                    if into is None or answer.status_code not in expected:
                        await answer.aread()
                    else:
                        await _written(answer, into)
                if answer.status_code in expected:
                    self._answered_at = time.monotonic()
                    return answer
                code, sentence = _refusal(answer)
                if answer.status_code == 401 and code != "administration-suspended" and wait_s < 2:
                    self._token = None
                elif answer.status_code not in _AGAIN or code == "batches-full":
                    raise CommandRefused(code, sentence)
                wait_s = max(wait_s, float(answer.headers.get("retry-after", "0") or 0))
            except httpx.TransportError as fault:
                code, sentence = "unreachable", f"{type(fault).__name__} at {self._locker}"
            if time.monotonic() - max(began, self._answered_at) > PATIENCE_S:
                raise CommandRefused(code, f"{sentence}. Start the same command again to go on")
            await asyncio.sleep(min(wait_s, _WAIT_MAX_S))
            wait_s *= 2

    async def _access_token(self) -> str:
        async with self._asking:
            if self._token is None or time.monotonic() > self._token[1]:
                metadata = _told(await self._http.get(f"{self._issuer}/.well-known/openid-configuration"))
                answer = await self._http.post(
                    metadata["token_endpoint"],
                    auth=Holder(self._key),
                    data={
                        "grant_type": "client_credentials",
                        "scope": "documents:deposit",
                        "client_id": self._client_id,
                        "client_assertion_type": _ASSERTION,
                        "client_assertion": client_assertion(
                            self._key, client_id=self._client_id, audience=self._issuer, jti=new_public_id()
                        ),
                    },
                )
                said = _told(answer)
                self._token = (str(said["access_token"]), time.monotonic() + float(said.get("expires_in", 60)) / 2)
            return self._token[0]


async def deposit_batch(office: Office, folder: Path, *, dry_run: bool, at_once: int) -> Outcome:
    """Register, send what is missing in parts, write the results. Raises CommandRefused."""
    began = time.monotonic()
    batch_id = await _batch(office, folder, await asyncio.to_thread(_manifest, folder), dry_run=dry_run)
    await _send_missing(office, folder, batch_id, at_once=at_once)
    await _write_results(office, folder, batch_id)
    states = (await office.send("GET", f"/v1/deposits/batches/{batch_id}", expected=[200])).json()["states"]
    return Outcome(
        batch_id=batch_id,
        dry_run=dry_run,
        states={state: many for state, many in states.items() if many},
        results=str(folder / RESULTS),
        seconds=round(time.monotonic() - began, 1),
    )


def _manifest(folder: Path) -> bytes:
    """As it is sent: a line without a digest gets that of its file. What is no JSON object is sent as it is, for the
    locker to say so."""
    try:
        lines = [line for line in (folder / MANIFEST).read_bytes().split(b"\n") if line.strip()]
    except OSError as fault:
        raise CommandRefused("unreadable", f"{folder / MANIFEST}: {fault.strerror}") from None
    progress, missing, sent = Progress("reading", len(lines)), list[str](), list[bytes]()
    for line in lines:
        sent.append(_with_digest(folder, line, missing))
        progress.step()
    progress.finish()
    if missing:
        named = ", ".join(missing[:_LISTED_MAX])
        raise CommandRefused("files-missing", f"{len(missing)} of the manifest are not in {folder}: {named}")
    return b"".join(line + b"\n" for line in sent)


def _with_digest(folder: Path, line: bytes, missing: list[str]) -> bytes:
    try:
        value = strict_json.decode(line)
    except msgspec.DecodeError:
        return line
    for named, digest in _FILES.items():
        name = value.get(named) if isinstance(value, dict) else None
        if not isinstance(name, str) or not _plain(name):
            continue
        if not (folder / name).is_file():
            missing.append(name)
        elif digest not in value:
            with (folder / name).open("rb") as file:
                said = f'"{digest}":"{hashlib.file_digest(file, "sha256").hexdigest()}"'
            # Put in front of what is there, which stays as it was written: it is the locker that judges it.
            line = line.replace(b"{", b"{%s," % said.encode(), 1)
    return line


def _plain(name: str) -> bool:
    """A file of the folder and of no other."""
    return bool(name) and name not in (".", "..") and not set(name) & {"/", "\\", "\x00"}


async def _batch(office: Office, folder: Path, manifest: bytes, *, dry_run: bool) -> str:
    digest = hashlib.sha256(manifest).hexdigest()
    kept = _kept(folder)
    if kept is not None and (kept.manifest_sha256, kept.dry_run) == (digest, dry_run):
        found = await office.send("GET", f"/v1/deposits/batches/{kept.batch_id}", expected=[200, 404])
        if found.status_code == 404:
            # Registered again, it would deposit everything a second time.
            raise CommandRefused(
                "batch-expired",
                f"the batch of this folder has ended; {RESULTS} says what was deposited. Put the rest into another "
                f"folder, or remove {STATE} to deposit all of it again",
            )
        return kept.batch_id
    if kept is not None and not kept.dry_run:
        raise CommandRefused(
            "manifest-changed",
            f"the manifest is another than that of batch {kept.batch_id}. Put what is new into another folder, or "
            f"remove {STATE} to make a new batch of all of it",
        )
    answer = await office.send(
        "POST",
        "/v1/deposits/batches",
        expected=[201],
        params={"dry_run": "true"} if dry_run else {},
        content=manifest,
        headers={
            "Content-Type": "application/x-ndjson",
            "Idempotency-Key": f'"batch-{digest}{"-dry" if dry_run else ""}"',
        },
    )
    registered = answer.json()
    state = Kept(batch_id=registered["batch_id"], manifest_sha256=digest, dry_run=dry_run)
    with _replacing(folder / STATE) as out:
        out.write(msgspec.json.encode(state))
    for problem in registered["problems"][:_LISTED_MAX]:
        detail = f": {problem['detail']}" if problem["detail"] else ""
        say(f"line {problem['line']}: {problem['code']}{detail}")
    if registered["refused"] > _LISTED_MAX:
        say(f"{registered['refused']} lines cannot be used; all stand in {RESULTS}")
    return state.batch_id


def _kept(folder: Path) -> Kept | None:
    try:
        return msgspec.json.decode((folder / STATE).read_bytes(), type=Kept)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as fault:
        raise CommandRefused("unreadable", f"{folder / STATE}: {fault}") from None


async def _send_missing(office: Office, folder: Path, batch_id: str, *, at_once: int) -> None:
    path = f"/v1/deposits/batches/{batch_id}"
    progress: Progress | None = None
    rounds = 0
    while rounds < ROUNDS_MAX:
        answer = await office.send("GET", f"{path}/missing", expected=[200])
        items = [_files_of(msgspec.json.decode(line)) for line in answer.content.splitlines() if line]
        if not items:
            break
        progress = progress or Progress("depositing", len(items))
        settled = await _send_parts(office, folder, f"{path}/parts", items, progress, at_once=at_once)
        rounds = 0 if settled else rounds + 1
        if not settled:
            await asyncio.sleep(min(2.0**rounds, _WAIT_MAX_S))
    if progress is not None:
        progress.finish()


def _files_of(missing: dict[str, str]) -> list[str]:
    """Of one item. CommandRefused where the locker asks for what is not in the folder."""
    files = [missing[named] for named in _FILES if missing.get(named)]
    if not all(map(_plain, files)):
        raise CommandRefused("not-in-manifest", "the locker asks for a file outside the folder")
    return files


async def _send_parts(
    office: Office, folder: Path, path: str, items: Sequence[list[str]], progress: Progress, *, at_once: int
) -> int:
    """How many items were settled."""
    waiting = list(reversed(items))
    settled = 0

    async def work() -> None:
        nonlocal settled
        while waiting:
            part = await asyncio.to_thread(_part, folder, waiting)
            if not part:
                return
            answer = await office.send(
                "POST", path, expected=[200], content=part, headers={"Content-Type": "application/zip"}
            )
            *lines, end = [msgspec.json.decode(line) for line in answer.content.splitlines()]
            if end.get("code") == "administration-suspended":
                raise CommandRefused("administration-suspended", "this administration is suspended; the rest waits")
            for line in lines:
                if line.get("state", "awaiting") != "awaiting":
                    settled += 1
                    progress.step()

    try:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(at_once):
                tasks.create_task(work())
    except* CommandRefused as several:
        raise several.exceptions[0] from None
    return settled


def _part(folder: Path, waiting: list[list[str]]) -> bytes:
    """A ZIP file of the next items, each with all its files; PDFs are compressed already. Takes what it holds out of
    ``waiting``."""
    buffer, length, files = io.BytesIO(), 0, 0
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        while waiting and files < PART_FILES_MAX:
            # Several pack at once: each item is one's own from here on, and the last of them another's meanwhile.
            try:
                names = waiting.pop()
            except IndexError:
                break
            try:
                contents = [(folder / name).read_bytes() for name in names]
            except OSError:
                continue
            more = sum(map(len, contents))
            if files and length + more > PART_MAX_BYTES:
                waiting.append(names)
                break
            for name, content in zip(names, contents, strict=True):
                archive.writestr(zipfile.ZipInfo(name), content)
            length, files = length + more, files + len(names)
    return buffer.getvalue() if files else b""


async def _write_results(office: Office, folder: Path, batch_id: str) -> None:
    """As they come: with their receipts they are a kilobyte a line."""
    with _replacing(folder / RESULTS) as out:
        await office.send("GET", f"/v1/deposits/batches/{batch_id}/results", expected=[200], into=out)


async def _written(answer: httpx.Response, out: BinaryIO) -> None:
    out.seek(0)
    out.truncate()
    async for chunk in answer.aiter_bytes():
        out.write(chunk)


def told(outcome: Outcome) -> None:
    """For a person: what to do next."""
    many = Counter(outcome.states)
    if many["refused"]:
        say(f"{many['refused']} refused: {outcome.results} says why; correct them and deposit them from another folder")
    if many["awaiting"]:
        say(f"{many['awaiting']} still waiting: start the same command again")
    if many["quarantined"] and not outcome.dry_run:
        say(f"{many['quarantined']} kept to be judged again: start the same command later to see how they stand")
    if outcome.dry_run and outcome.all_well:
        say("all would be accepted; without --dry-run they are deposited")


@contextmanager
def _replacing(file: Path) -> Iterator[BinaryIO]:
    """The whole of what is written or what was there before; receipts and identifiers are for their owner's eyes."""
    part = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def _told(answer: httpx.Response) -> dict[str, Any]:
    if answer.status_code >= 500:
        raise httpx.NetworkError(f"http-{answer.status_code}")
    if answer.status_code != 200:
        raise CommandRefused(*_refusal(answer))
    body: dict[str, Any] = answer.json()
    return body


def _refusal(answer: httpx.Response) -> tuple[str, str]:
    try:
        body = answer.json()
    except ValueError:
        body = {}
    code = body.get("code") or body.get("error") or f"http-{answer.status_code}"
    return str(code), str(body.get("detail") or body.get("error_description") or body.get("title") or "")
