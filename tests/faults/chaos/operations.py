"""What people and programs do meanwhile, chosen by the seed. Each compares its answer with what was answered before."""

import asyncio
import hashlib
import io
import json
import re
import secrets
import time
import zipfile
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Any

import httpx

from khizana.holder import Holder
from kit.jose import PublicKeys, TokenRefused, client_assertion, verify
from locker.access.sessions import SESSION_COOKIE
from tests.clamd import EICAR
from tests.faults.chaos.calls import Calls, code_of, is_final
from tests.faults.chaos.model import Citizen, Document, Progress, Share, Together, Upload
from tests.faults.chaos.place import BANK, RETAINED, SCHOOL, Place
from tests.locker_world import BIRTH, INTERIOR, JUSTICE, RECORD, client_of, plain_pdf, sealed
from tests.unit.locker.deposits.signed_parts import seal_of
from tests.unit.locker.signatures.data_signatures import cades

PROVIDER = 0
"""The server that has one."""
TRIES = 3
TYPES = {INTERIOR: BIRTH, JUSTICE: RECORD}
FRACTION = 0.05
"""Of a second, between two operations of one actor."""

Attempt = Callable[[int], Awaitable[httpx.Response | None]]
"""At that server."""
Then = Callable[[httpx.Response], object]
"""WAITS: what it is about is still left alone."""
WAITS = object()
PENDING = ("pending-scan", "quarantined")


class Operations:
    def __init__(self, place: Place, calls: Calls, seed: int) -> None:
        self.place, self.calls, self.model = place, calls, place.model
        self.progress = Progress()
        self.calm = True
        """No fault is on: what can be done must be."""
        self.pending: list[Callable[[], Awaitable[bool]]] = []
        """Changes whose answer was lost: to be repeated until it is known."""
        self._seed = seed
        self._made = 0
        self._token: tuple[str, float] = ("", 0.0)

    # How something is done

    async def settle(
        self, what: str, attempt: Attempt, then: Then, *, on: Any = None, of: Sequence[Citizen] = ()
    ) -> None:
        """Until an answer says what became of it; what is not known after some tries is repeated later.

        ``on`` is changed by it and is left alone by everybody else meanwhile. ``of``: whose it is; a refusal is
        expected where one of them leaves.
        """
        if on is not None:
            on.begin()

        async def once(node: int) -> bool:
            answer = await attempt(node)
            if not is_final(answer):
                self.place.figures.repeated += 1
                return False
            assert answer is not None
            gone = answer.status_code >= 400 and any(one.leaving for one in of)
            if (gone or then(answer) is not WAITS) and on is not None:
                on.end()
            return True

        for number in range(TRIES):
            if await once((number + self._made) % 2):
                return
            await asyncio.sleep(FRACTION)
        self.calls.note("pending", what=what)
        turns = iter(range(1_000_000))
        self.pending.append(lambda: once(next(turns) % 2))

    async def resolve(self) -> None:
        """The faults are over: every change becomes known."""
        while self.pending:
            again, self.pending = self.pending, []
            for one in again:
                if not await one():
                    self.pending.append(one)
            if self.pending:
                await asyncio.sleep(0.2)

    def name(self, rng: Random, what: str) -> str:
        self._made += 1
        return f"{what}-{self._seed}-{self._made}-{rng.randrange(10**6)}"

    # Administrations

    async def office(self, rng: Random, administration: str) -> None:
        documents = [one for one in self.model.documents.values() if one.administration == administration]
        free = [one for one in documents if self.is_free(one) and one.standing in ("valid", "suspended")]
        valid = [one for one in free if one.standing == "valid"]
        match _weighted(
            rng,
            deposit=9,
            keep=3 if administration == INTERIOR else 0,
            refused=1,
            batch=2,
            supersede=3,
            suspend=4,
            resume=3,
            revoke=2,
            ahead=1,
            read=1,
        ):
            case "batch":
                await self.batch(rng, administration)
            case "keep":
                await self.deposit(rng, administration, kept=True)
            case "refused":
                await self.deposit_refused(rng, administration)
            case "supersede" if free:
                await self.deposit(rng, administration, replaces=rng.choice(free))
            case "suspend" if valid:
                await self.change(rng, rng.choice(valid), "suspend", "court-order")
            case "resume" if any(one.standing == "suspended" for one in free):
                await self.change(rng, rng.choice([one for one in free if one.standing == "suspended"]), "resume", None)
            case "revoke" if free:
                await self.change(rng, rng.choice(free), "revoke", "issued-in-error")
            case "ahead":
                await self.revoke_ahead(rng, administration)
            case "read" if documents:
                await self.read_deposit(rng, rng.choice(documents))
            case _:
                await self.deposit(rng, administration)

    def is_free(self, document: Document) -> bool:
        """Nobody changes it, and somebody is left whose it is: whoever is leaving may be gone or not."""
        if any(one.busy or one.over for one in document.whole):
            return False
        owners = [self.model.owner_of(one) for one in document.whole]
        unsure = any(one.leaving and one.erased_at is None for one in owners)
        return not unsure and any(not one.leaving for one in owners)

    async def at_office(
        self, who: str, node: int, method: str, path: str, administration: str, **parts: Any
    ) -> httpx.Response | None:
        """The first administration's tokens come from the provider and are bound to a key, the other's are bearers."""
        if administration != INTERIOR:
            token = self.place.client_token(client_of(administration), "documents:deposit")
            return await self.calls.send(who, node, method, path, token=token, **parts)
        token = await self._bound_token()
        if not token:
            return None
        return await self.calls.send(who, node, method, path, auth=Holder(self.place.rig.key, token), **parts)

    async def _bound_token(self) -> str:
        rig = self.place.rig
        if time.monotonic() > self._token[1]:
            client_id = client_of(INTERIOR)
            said = {
                "grant_type": "client_credentials",
                "scope": "documents:deposit",
                "client_id": client_id,
                "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                "client_assertion": client_assertion(
                    rig.key, client_id=client_id, audience=rig.home.issuer, jti=secrets.token_hex(16)
                ),
            }
            answer = await self.calls.send(client_id, PROVIDER, "POST", "/idp/token", auth=Holder(rig.key), data=said)
            if answer is None or answer.status_code != 200:
                self.calls.must(answer is None or answer.status_code in (429, 503), f"no token: {answer}")
                return ""
            self._token = (answer.json()["access_token"], time.monotonic() + 60)
        return self._token[0]

    async def deposit(
        self, rng: Random, administration: str, *, replaces: Document | None = None, kept: bool = False
    ) -> None:
        """``kept``: the administration keeps it, and says where."""
        model = self.model
        if replaces is not None:
            citizens = [one for one in map(model.owner_of, replaces.whole) if not one.leaving]
        else:
            citizens = rng.sample(model.living, 2 if rng.random() < 0.2 else 1)
            passing = [one for one in model.living if one.passing]
            if passing and rng.random() < 0.3:
                # Whoever leaves soon leaves something behind.
                citizens = [passing[0], *(one for one in citizens[1:] if one is not passing[0])]
        key, signed = self.name(rng, "deposit"), not kept and rng.random() < 0.25
        pdf = await asyncio.to_thread(self.pdf, administration, key, 30 if rng.random() < 0.1 else 1)
        data = await asyncio.to_thread(self.data, administration, key) if signed else None
        ahead = None if kept or rng.random() < 0.3 else self.take_ahead(administration)
        type_ = self.type_of(rng, administration, replaces)
        said = self.said(rng, type_, citizens, replaces, ahead)
        if kept:
            said |= {"url": self.place.issuer.keep(pdf), "sha256": hashlib.sha256(pdf).hexdigest()}
            at, parts = "/v1/deposits/references", {"json": said}
        else:
            at, parts = "/v1/deposits", {"files": self.files(said, pdf, data)}

        async def attempt(node: int) -> httpx.Response | None:
            headers = {"Idempotency-Key": f'"{key}"'}
            answer = await self.at_office(key, node, "POST", at, administration, headers=headers, **parts)
            # Its own server was away or gave something else: nothing is kept of that, the same comes again.
            return None if code_of(answer) == "reference-unreachable" else answer

        on = Together(replaces.whole) if replaces else None
        seen = self.seen_by_client(replaces.whole) if replaces else []

        def here(several: list[dict[str, Any]]) -> None:
            twins = [
                self.deposited(one, administration, type_, citizen, pdf, data)
                for citizen, one in zip(citizens, several, strict=True)
            ]
            for one in twins:
                one.twins, one.by_reference = twins, kept
            self.place.figures.references += kept
            if replaces is not None:
                former = {one.owner: one for one in replaces.whole}
                for one in twins:
                    one.replaces = former[one.owner]
                replaces.stands("superseded")
                self.client_is_told(seen, replaces.whole, "superseded")
            if ahead is not None:
                for one in twins:
                    one.standing, one.since = "revoked", time.monotonic()

        def then(answer: httpx.Response) -> object:
            if answer.status_code not in (201, 202):
                self.calls.fail(f"{key}: {answer.status_code} {answer.text}")
                return None
            whole = answer.json()
            self.calls.must(whole["sha256"] == hashlib.sha256(pdf).hexdigest(), f"{key}: another digest")
            several = whole["documents"] or [whole]
            if len(several) != len(citizens):
                self.calls.fail(f"{key}: {len(several)} documents of {len(citizens)}")
                return None
            model.keys[client_of(administration), key] = whole["document_id"]
            if answer.status_code == 201:
                here(several)
                return None
            # Nobody could look at it: it is kept, and no document before the scanner is back.
            self.wait_for(key, administration, several, citizens, here, on)
            return WAITS

        await self.settle(key, attempt, then, on=on, of=citizens)

    def wait_for(
        self,
        key: str,
        administration: str,
        several: list[dict[str, Any]],
        citizens: Sequence[Citizen],
        here: Callable[[list[dict[str, Any]]], None],
        on: Together | None = None,
    ) -> None:
        """Until it is judged, when the faults are over: then it is here, for all of its owners."""
        self.place.figures.waited += 1

        async def once() -> bool:
            if all(one.leaving for one in citizens):
                return True
            records = []
            for one in several:
                at = f"/v1/deposits/{one['document_id']}"
                answer = await self.at_office(key, 0, "GET", at, administration)
                if not is_final(answer) or answer is None:
                    return False
                records.append(answer.json())
            stays = [record for record, one in zip(records, citizens, strict=True) if not one.leaving]
            if any(record.get("state") in PENDING for record in stays):
                await self.place.as_owner(
                    "UPDATE locker.quarantine SET next_attempt_at = now() WHERE state = 'waiting'"
                )
                return False
            if any(record.get("state") in (None, "refused") for record in stays):
                self.calls.must(any(one.leaving for one in citizens), f"{key}: {records}")
            else:
                here([{**one, "receipt": record.get("receipt")} for one, record in zip(several, records, strict=True)])
            if on is not None:
                on.end()
            return True

        self.pending.append(once)

    def seen_by_client(self, documents: Sequence[Document]) -> list[tuple[Share, int]]:
        """Shares for one service alone that it opened and that stand, whatever happens in the next minutes."""
        return [
            (one, one.changes)
            for one in self.model.shares
            if one.client_id == BANK
            and one.opened
            and not one.busy
            and one.ended_at is None
            and one.until > time.time() + 300
            and not self.model.owner_of(one).ending_all
            and any(document in one.documents for document in documents)
        ]

    def client_is_told(self, seen: list[tuple[Share, int]], documents: Sequence[Document], event: str) -> None:
        for share, changes in seen:
            if share.changes == changes and share.ended_at is None and self.model.stays(share):
                self.model.to_be_told += [
                    (share, f"share.document_{event}", one.document_id) for one in share.documents if one in documents
                ]

    def take_ahead(self, administration: str) -> str | None:
        """A name under which a deposit was revoked that is not here yet."""
        for one in self.model.ahead:
            if one[0] == administration:
                self.model.ahead.remove(one)
                return one[1]
        return None

    async def revoke_ahead(self, rng: Random, administration: str) -> None:
        """The revocation overtakes the deposit."""
        name = self.name(rng, "ahead")

        def attempt(node: int) -> Awaitable[httpx.Response | None]:
            said = {"reference": name, "reason": "issued-in-error"}
            return self.at_office(name, node, "POST", "/v1/revocations", administration, json=said)

        def then(answer: httpx.Response) -> None:
            if answer.status_code != 202:
                return self.calls.fail(f"{name}: {answer.status_code} {answer.text}")
            self.model.ahead.append((administration, name))
            return None

        await self.settle(name, attempt, then)

    def deposited(
        self,
        said: dict[str, Any],
        administration: str,
        type_: str,
        citizen: Citizen,
        pdf: bytes,
        data: tuple[bytes, bytes] | None,
    ) -> Document:
        document = Document(
            document_id=said["document_id"],
            owner=citizen.sub,
            administration=administration,
            type=type_,
            pdf=pdf,
            sha256=hashlib.sha256(pdf).hexdigest(),
            data_sha256=hashlib.sha256(data[0]).hexdigest() if data else None,
            told=["deposited"],
            since=time.monotonic(),
            receipt=said.get("receipt", ""),
        )
        if document.document_id in self.model.documents:
            self.calls.fail(f"{document.document_id} was answered for two keys")
        return self.model.documents.setdefault(document.document_id, document)

    def type_of(self, rng: Random, administration: str, replaces: Document | None) -> str:
        if replaces is not None:
            return replaces.type
        return RETAINED if administration == INTERIOR and rng.random() < 0.3 else TYPES[administration]

    def said(
        self,
        rng: Random,
        type_: str,
        citizens: Sequence[Citizen],
        replaces: Document | None = None,
        ahead: str | None = None,
    ) -> dict[str, Any]:
        subjects = [{"uid": one.uid} for one in citizens]
        said: dict[str, Any] = {
            "type": type_,
            **({"subject": subjects[0]} if len(subjects) == 1 else {"subjects": subjects}),
            "fields": {"family_name": citizens[0].name},
        }
        if replaces is not None:
            said["replaces"] = rng.choice(replaces.whole).document_id
            if rng.random() < 0.4:
                said["correction"] = "clerical-error"
        if ahead is not None:
            said["reference"] = ahead
        return said

    def files(self, said: dict[str, Any], pdf: bytes, data: tuple[bytes, bytes] | None) -> dict[str, Any]:
        return {
            "document": ("d.pdf", pdf, "application/pdf"),
            "deposit": ("d.json", json.dumps(said).encode(), "application/json"),
            **({"data": ("data", data[0], "application/json"), "data_signature": ("sig", data[1])} if data else {}),
        }

    async def deposit_refused(self, rng: Random, administration: str) -> None:
        """Without a seal, or data that nobody signed: refused for what it is, whatever goes wrong; nothing stays."""
        citizen, key = rng.choice(self.model.living), self.name(rng, "refused")
        said = self.said(rng, TYPES[administration], [citizen])
        if rng.random() < 0.5:
            files = self.files(said, await asyncio.to_thread(plain_pdf, key), None)
        else:
            pdf = await asyncio.to_thread(self.pdf, administration, key, 1)
            files = self.files(said, pdf, (b'{"nobody": "signed"}', b"this"))

        def attempt(node: int) -> Awaitable[httpx.Response | None]:
            headers = {"Idempotency-Key": f'"{key}"'}
            return self.at_office(key, node, "POST", "/v1/deposits", administration, files=files, headers=headers)

        def then(answer: httpx.Response) -> None:
            self.calls.must(answer.status_code == 422, f"{key}: {answer.status_code} {answer.text}")

        await self.settle(key, attempt, then, of=[citizen])

    async def batch(self, rng: Random, administration: str) -> None:
        key, many = self.name(rng, "batch"), rng.randrange(2, 5)
        citizens = [rng.choice(self.model.living) for _ in range(many)]
        type_ = self.type_of(rng, administration, None)
        pdfs = await asyncio.to_thread(
            lambda: [self.pdf(administration, f"{key} {number}", 1) for number in range(many)]
        )
        lines = [
            {
                "item": f"{key}-{number}",
                "file": f"{number}.pdf",
                "sha256": hashlib.sha256(pdf).hexdigest(),
                "type": type_,
                "subject": {"uid": citizen.uid},
                "fields": {"family_name": citizen.name},
            }
            for number, (citizen, pdf) in enumerate(zip(citizens, pdfs, strict=True))
        ]
        manifest = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for number, pdf in enumerate(pdfs):
                archive.writestr(f"{number}.pdf", pdf)

        async def attempt(node: int) -> httpx.Response | None:
            """All over again: what was done keeps its first answer. The results, once nothing is missing."""

            async def ask(method: str, path: str, **parts: Any) -> httpx.Response | None:
                return await self.at_office(key, node, method, path, administration, **parts)

            answer = await ask(
                "POST", "/v1/deposits/batches", content=manifest, headers={"Idempotency-Key": f'"{key}"'}
            )
            if not is_final(answer) or answer is None or answer.status_code != 201:
                return answer
            at = f"/v1/deposits/batches/{answer.json()['batch_id']}"
            part = {"content": buffer.getvalue(), "headers": {"Content-Type": "application/zip"}}
            answer = await ask("POST", f"{at}/parts", **part)
            if not is_final(answer) or answer is None or answer.status_code != 200:
                return answer
            answer = await ask("GET", f"{at}/results")
            if not is_final(answer) or answer is None or answer.status_code != 200:
                return answer
            states = {json.loads(line)["state"] for line in answer.text.splitlines()}
            return None if "awaiting" in states else answer

        def then(answer: httpx.Response) -> None:
            if answer.status_code != 200:
                return self.calls.fail(f"{key}: {answer.status_code} {answer.text}")
            results = [json.loads(line) for line in answer.text.splitlines()]
            for citizen, pdf, said in zip(citizens, pdfs, results, strict=True):
                if said["state"] == "deposited":
                    self.deposited(said, administration, type_, citizen, pdf, None)
                elif said["state"] == "quarantined":

                    def here(several: list[dict[str, Any]], citizen: Citizen = citizen, pdf: bytes = pdf) -> None:
                        self.deposited(several[0], administration, type_, citizen, pdf, None)

                    self.wait_for(key, administration, [said], [citizen], here)
                else:
                    self.calls.must(citizen.leaving, f"{key}: {said}")
            return None

        await self.settle(key, attempt, then)

    async def change(self, rng: Random, document: Document, verb: str, reason: str | None) -> None:
        key, to = self.name(rng, verb), {"suspend": "suspended", "resume": "valid", "revoke": "revoked"}[verb]
        seen = self.seen_by_client(document.whole)

        def attempt(node: int) -> Awaitable[httpx.Response | None]:
            return self.at_office(
                key,
                node,
                "POST",
                f"/v1/documents/{document.document_id}/{verb}",
                document.administration,
                json={"reason": reason} if reason else None,
                headers={"Idempotency-Key": f'"{key}"'},
            )

        def then(answer: httpx.Response) -> None:
            if answer.status_code != 200:
                return self.calls.fail(f"{key}: {document} {answer.status_code} {answer.text}")
            self.calls.must(answer.json()["state"] == to, f"{key}: {answer.text}")
            document.stands(to, reason)  # type: ignore[arg-type]
            self.client_is_told(seen, document.whole, "resumed" if to == "valid" else to)
            return None

        owners = [self.model.owner_of(one) for one in document.whole]
        # Somebody who left takes nothing from the others: their address goes on to reach all of them.
        surely = any(not one.leaving for one in owners) and self.is_free(document)
        await self.settle(
            key, attempt, then, on=Together(document.whole), of=[] if surely and len(owners) > 1 else owners
        )
        if document.standing == "revoked" and not document.busy:
            # Of all moments the next one is when it must be seen, at the other server too.
            for share in [one for one in self.model.shares if document in one.documents and one.left > 0][:1]:
                await self.open(rng, share)

    async def read_deposit(self, rng: Random, document: Document) -> None:
        before, changes = document.standing, document.changes
        at = f"/v1/deposits/{document.document_id}"
        free = not document.busy
        answer = await self.at_office("office", rng.randrange(2), "GET", at, document.administration)
        if answer is not None and answer.status_code == 200 and free and changes == document.changes:
            self.calls.must(answer.json()["state"] == before, f"{at}: {answer.text}, and it is {before}")
        other = JUSTICE if document.administration == INTERIOR else INTERIOR
        answer = await self.at_office("office", rng.randrange(2), "GET", at, other)
        self.calls.must(answer is None or answer.status_code != 200, f"{at}: shown to another administration")

    # Citizens

    async def citizen(self, rng: Random, citizen: Citizen) -> None:
        held = [one for one in self.model.of(citizen) if not one.busy]
        lasting = [one for one in held if not one.over]
        live = [one for one in self.model.shares_of(citizen) if one.ended_at is None and not one.busy and one.share_id]
        uploads = [one for one in self.model.uploads_of(citizen) if not one.busy and one.state != "gone"]
        chosen = _weighted(
            rng,
            list=3,
            read=4,
            others=2,
            share=6,
            code=2,
            narrow=1,
            end=2,
            end_all=1,
            upload=3,
            uploads=4,
            export=2,
            history=1,
            copy=2 if citizen is self.model.citizens[0] else 0,
        )
        match chosen:
            case "read" if held:
                await self.read(rng, citizen, rng.choice(held))
            case "others":
                await self.read_others(rng, citizen)
            case "share" if lasting:
                await self.share(rng, citizen, lasting)
            case "code" if lasting and not citizen.ending_all:
                await self.share_by_code(rng, citizen, lasting)
            case "copy" if any(one.by_reference for one in lasting):
                await self.keep_copy(rng, citizen, rng.choice([one for one in lasting if one.by_reference]))
            case "narrow" if live:
                await self.narrow(rng, citizen, rng.choice(live))
            case "end" if live:
                await self.end(rng, citizen, rng.choice(live))
            case "end_all" if live and rng.random() < 0.3 and not citizen.ending_all:
                await self.end_all(rng, citizen)
            case "upload":
                await self.upload(rng, citizen)
            case "uploads" if uploads:
                await self.change_upload(rng, citizen, rng.choice(uploads))
            case "export":
                await self.export(rng, citizen)
            case "history":
                await self.get(citizen, rng, f"/v1/history{rng.choice(('', '/export'))}")
            case _:
                await self.list_documents(rng, citizen)

    async def get(self, citizen: Citizen, rng: Random, path: str) -> httpx.Response | None:
        token = self.place.citizen_token(citizen)
        return await self.calls.send(citizen.name, rng.randrange(2), "GET", path, token=token)

    async def list_documents(self, rng: Random, citizen: Citizen) -> None:
        before = {one.document_id for one in self.model.of(citizen) if not one.over or one.held}
        gone = {one.document_id for one in self.model.of(citizen) if one.gone_at is not None}
        listed: set[str] = set()
        path = "/v1/documents?limit=100"
        while path:
            answer = await self.get(citizen, rng, path)
            if answer is None or answer.status_code != 200:
                return
            said = answer.json()
            listed |= {one["document_id"] for one in said["documents"]}
            path = f"/v1/documents?limit=100&after={said['next']}" if said["next"] else ""
        for document_id in listed:
            known = self.model.documents.get(document_id)
            self.calls.must(known is None or known.owner == citizen.sub, f"{document_id} stands in another's list")
            self.model.seen.setdefault(document_id, citizen.sub)
        self.calls.must(not gone & listed, f"past its retention, and listed to {citizen.name}: {gone & listed}")
        if not citizen.leaving:
            # A hold may have ended meanwhile.
            before -= {one.document_id for one in self.model.of(citizen) if one.over and not one.held}
            self.calls.must(before <= listed, f"not listed to {citizen.name}: {before - listed}")

    async def read(self, rng: Random, citizen: Citizen, document: Document) -> None:
        gone, held, changes = document.gone_at is not None, document.held, document.changes
        answer = await self.get(citizen, rng, f"/v1/documents/{document.document_id}/original")
        if answer is not None and answer.status_code == 200:
            self.calls.must(answer.content == document.pdf, f"{document.document_id}: other bytes")
            self.calls.must(not gone, f"{document.document_id} is past its retention, and shown")
        elif answer is not None and answer.status_code == 404 and not citizen.leaving:
            surely = held and document.held and changes == document.changes
            self.calls.must(document.over and not surely, f"{document.document_id}: 404, and it is held: {held}")
        elif answer is not None and self.calm and not citizen.leaving:
            self.calls.must(answer.status_code in (403, 503), f"{document.document_id}: {answer.status_code}")
        if answer is not None and answer.status_code == 502 and (not document.by_reference or document.copied):
            self.calls.must(
                code_of(answer) == "document-damaged", f"{document.document_id}: {answer.status_code} {answer.text}"
            )

    async def keep_copy(self, rng: Random, citizen: Citizen, document: Document) -> None:
        """By the page, as there is no other way; at the citizen who is signed in."""
        headers = {"Cookie": f"{SESSION_COOKIE}={self.place.rig.cookie}"}
        at, node = f"/wallet/documents/{document.document_id}", rng.randrange(2)
        page = await self.calls.send(citizen.name, node, "GET", at, headers=headers)
        token = None if page is None else re.search(r'name="csrf" value="([^"]+)"', page.text)
        if token is None:
            return
        form = {"csrf": token[1]}
        answer = await self.calls.send(citizen.name, node, "POST", f"{at}/copy", headers=headers, data=form)
        if answer is not None and answer.status_code == 303:
            document.copied = True

    async def read_others(self, rng: Random, citizen: Citizen) -> None:
        documents = [one for one in self.model.documents.values() if one.owner != citizen.sub]
        uploads = [one for one in self.model.uploads.values() if one.owner != citizen.sub]
        if not documents:
            return
        at = f"/v1/documents/{rng.choice(documents).document_id}"
        paths = [at, f"{at}/original", f"{at}/data"]
        if uploads:
            paths.append(f"/v1/uploads/{rng.choice(uploads).upload_id}/file")
        path = rng.choice(paths)
        answer = await self.get(citizen, rng, path)
        self.calls.must(answer is None or answer.status_code not in (200, 206), f"{path} was shown to another citizen")

    async def share(self, rng: Random, citizen: Citizen, held: list[Document]) -> None:
        documents = rng.sample(held, min(len(held), rng.choice((1, 1, 1, 2))))
        own = [one for one in self.model.uploads_of(citizen) if one.state == "held" and not one.busy]
        harmful = [one for one in own if one.infected]
        own = harmful if harmful and rng.random() < 0.1 else [one for one in own if not one.infected]
        uploads = [rng.choice(own)] if own and rng.random() < 0.2 else []
        share = Share(
            owner=citizen.sub,
            documents=documents,
            uploads=uploads,
            openings_max=rng.choice((1, 2, 3, 5)),
            until=time.time() + rng.choice((8, 60, 3_600, 86_400)),
            pin="738291" if rng.random() < 0.15 else None,
            client_id=BANK if rng.random() < 0.3 else None,
            fields=rng.random() < 0.2,
            view_only=rng.random() < 0.6,
        )
        body = {
            "documents": [one.document_id for one in documents],
            "uploads": [one.upload_id for one in uploads],
            "recipient": f"Bank of {citizen.name}",
            "purpose": f"A loan for {citizen.name}",
            "openings": share.openings_max,
            "until": _moment(share.until),
            "view_only": share.view_only,
            **({"pin": share.pin} if share.pin else {}),
            **({"client_id": share.client_id} if share.client_id else {}),
            **({"fields": {documents[0].document_id: ["family_name"]}} if share.fields else {}),
        }
        await self.make_share(rng, citizen, share, body)

    async def share_by_code(self, rng: Random, citizen: Citizen, held: list[Document]) -> None:
        """For somebody who stands there. One at a time: it ends the one before."""
        before = [one for one in self.model.shares_of(citizen) if one.code and one.ended_at is None]
        if any(one.busy for one in before):
            return
        share = Share(
            owner=citizen.sub,
            documents=[rng.choice(held)],
            until=time.time() + 170,
            view_only=True,
            code="?",
        )
        body = {
            "documents": [share.documents[0].document_id],
            "recipient": f"Counter of {citizen.name}",
            "purpose": f"Seen by {citizen.name}",
            "face_to_face": True,
        }
        for one in before:
            # Whatever becomes of the answer, who made it counts on it no more.
            one.begin()
        await self.make_share(rng, citizen, share, body)
        if share.share_id:
            for one in before:
                # What was opened by its code may be looked at for its ten minutes.
                if not one.opened and not one.maybe:
                    one.ended_at = time.monotonic()
            await self.open(rng, share, by_code=rng.random() < 0.8)

    async def make_share(self, rng: Random, citizen: Citizen, share: Share, body: dict[str, Any]) -> None:
        # Also one whose answer is lost may be there, and nobody will ever know its address.
        citizen.shares_maybe += 1
        answer = await self.calls.send(
            citizen.name,
            rng.randrange(2),
            "POST",
            "/v1/shares",
            token=self.place.citizen_token(citizen),
            json=body,
        )
        if answer is None or answer.status_code >= 500:
            return
        citizen.shares_maybe -= 1
        if answer.status_code != 201:
            # One of its own files may have gone to the bin meanwhile.
            raced = (bool(share.uploads) and answer.status_code == 404) or citizen.leaving
            self.calls.must(raced or answer.status_code == 429, f"share: {answer.status_code} {answer.text} {body}")
            return
        self.calls.must(not any(one.infected for one in share.uploads), f"harmful, and shared: {body}")
        said = answer.json()
        share.share_id = said["share_id"]
        share.path = said["url"].removeprefix(self.place.rig.home.url)
        share.code = said["code"]
        if citizen.ending_all:
            # It is ended by that, or it is not.
            share.begin()
        self.model.shares.append(share)

    async def narrow(self, rng: Random, citizen: Citizen, share: Share) -> None:
        openings = max(1, share.openings_max - 1)

        def attempt(node: int) -> Awaitable[httpx.Response | None]:
            token = self.place.citizen_token(citizen)
            at = f"/v1/shares/{share.share_id}"
            return self.calls.send(citizen.name, node, "PATCH", at, token=token, json={"openings": openings})

        def then(answer: httpx.Response) -> None:
            # Used up or over in the meantime, it is no living share any more; what was opened is no less.
            self.calls.must(answer.status_code in (200, 404, 422), f"narrow: {answer.status_code} {answer.text}")
            if answer.status_code == 200:
                share.openings_max = openings

        await self.settle("narrow", attempt, then, on=share, of=[citizen])

    async def end(self, rng: Random, citizen: Citizen, share: Share) -> None:
        def attempt(node: int) -> Awaitable[httpx.Response | None]:
            token = self.place.citizen_token(citizen)
            return self.calls.send(citizen.name, node, "DELETE", f"/v1/shares/{share.share_id}", token=token)

        told = share.client_id == BANK and share.opened and share.left > 0 and time.time() < share.until - 60

        def then(answer: httpx.Response) -> None:
            self.calls.must(answer.status_code == 204, f"end: {answer.status_code} {answer.text}")
            share.ended_at = time.monotonic()
            if told and not share.maybe and not citizen.ending_all:
                self.model.to_be_told.append((share, "share.ended", share.opened[-1]["opening_id"]))

        await self.settle("end", attempt, then, on=share, of=[citizen])
        if share.ended_at is not None:
            await self.open(rng, share)
            await self.look_again(rng, share)

    async def end_all(self, rng: Random, citizen: Citizen) -> None:
        """What is made while this goes on may be ended by it or not: it is left alone from then on."""
        citizen.ending_all = True
        mine = self.model.shares_of(citizen)

        def attempt(node: int) -> Awaitable[httpx.Response | None]:
            return self.calls.send(citizen.name, node, "DELETE", "/v1/shares", token=self.place.citizen_token(citizen))

        def then(answer: httpx.Response) -> None:
            citizen.ending_all = False
            self.calls.must(answer.status_code == 204, f"end all: {answer.status_code} {answer.text}")
            for share in mine:
                share.ended_at = share.ended_at or time.monotonic()

        for share in mine:
            share.changes += 1
        await self.settle("end all", attempt, then, of=[citizen])

    async def upload(self, rng: Random, citizen: Citizen) -> None:
        key, infected = self.name(rng, "upload"), rng.random() < 0.15
        content = await asyncio.to_thread(plain_pdf, key, pages=rng.choice((1, 1, 5)))
        if infected:
            content += b"%" + EICAR + b"\n" + content[content.rindex(b"startxref") :]

        def attempt(node: int) -> Awaitable[httpx.Response | None]:
            return self.calls.send(
                key,
                node,
                "POST",
                "/v1/uploads",
                token=self.place.citizen_token(citizen),
                headers={"Idempotency-Key": f'"{key}"'},
                files={"file": ("letter.pdf", content, "application/pdf")},
            )

        def then(answer: httpx.Response) -> None:
            if answer.status_code != 201:
                return self.calls.fail(f"{key}: {answer.status_code} {answer.text}")
            said = answer.json()
            self.calls.must(said["upload_id"] not in self.model.uploads, f"{key}: an upload of another key")
            self.model.uploads[said["upload_id"]] = Upload(
                upload_id=said["upload_id"],
                owner=citizen.sub,
                sha256=hashlib.sha256(content).hexdigest(),
                length=len(content),
                infected=infected,
            )
            clean = said["state"] == "held"
            self.calls.must(not (infected and clean), f"{key}: harmful, and {said['state']}")
            return None

        await self.settle(key, attempt, then, of=[citizen])

    async def change_upload(self, rng: Random, citizen: Citizen, upload: Upload) -> None:
        at = f"/v1/uploads/{upload.upload_id}"
        if upload.state == "held" and rng.random() < 0.5:
            answer = await self.get(citizen, rng, f"{at}/file")
            if answer is not None and answer.status_code == 200:
                same = hashlib.sha256(answer.content).hexdigest() == upload.sha256
                self.calls.must(same, f"{at}: other bytes")
                self.calls.must(not upload.infected, f"{at}: harmful, and shown")
            return
        method, path, to = "DELETE", at, "binned"
        if upload.state == "binned":
            method, path, to = rng.choice(
                (("POST", f"{at}/restore", "held"), ("DELETE", f"{at}?for_good=true", "gone"))
            )

        def attempt(node: int) -> Awaitable[httpx.Response | None]:
            return self.calls.send(citizen.name, node, method, path, token=self.place.citizen_token(citizen))

        def then(answer: httpx.Response) -> None:
            # What was destroyed is unknown, also to who repeats it.
            done = answer.is_success or (to == "gone" and answer.status_code == 404)
            self.calls.must(done, f"{method} {path}: {answer.status_code} {answer.text}")
            upload.state, upload.since = to, time.monotonic()  # type: ignore[assignment]

        await self.settle(f"{method} {path}", attempt, then, on=upload, of=[citizen])

    async def export(self, rng: Random, citizen: Citizen) -> None:
        """Asked for, taken where one is ready, and removed."""
        answer = await self.get(citizen, rng, "/v1/export")
        if answer is None or answer.status_code not in (200, 404):
            return
        if answer.status_code == 200 and answer.json()["state"] == "ready":
            answer = await self.get(citizen, rng, "/v1/export/file")
            if answer is not None and answer.status_code == 200:
                await asyncio.to_thread(self.look_into, citizen, answer.content)
                await self.calls.send(citizen.name, 0, "DELETE", "/v1/export", token=self.place.citizen_token(citizen))
        elif answer.status_code == 404 and citizen.exports < 4:
            citizen.exports += 1
            mine = [one for one in self.model.of(citizen) if not one.by_reference and not one.over]
            citizen.asked_export = {one.document_id for one in mine}
            token = self.place.citizen_token(citizen)
            await self.calls.send(citizen.name, rng.randrange(2), "POST", "/v1/export", token=token)

    def look_into(self, citizen: Citizen, content: bytes) -> None:
        """Everything is this citizen's own, all of it is there, and it is signed."""
        digests = {(one.owner, one.sha256) for one in self.model.documents.values()}
        digests |= {(one.owner, one.sha256) for one in self.model.uploads.values()}
        # Several owners hold the same bytes.
        others = {sha256 for _, sha256 in digests} - {sha256 for owner, sha256 in digests if owner == citizen.sub}
        must, export = self.calls.must, f"export of {citizen.name}"
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            must(archive.testzip() is None, f"{export}: damaged")
            sums = {name: hashlib.sha256(archive.read(name)).hexdigest() for name in archive.namelist()}
            for name, sha256 in sums.items():
                must(sha256 not in others, f"{export}: {name} is another's")
            listed = {one["name"]: one["sha256"] for one in json.loads(archive.read("manifest.json"))["files"]}
            beside = {"manifest.json", "manifest.jws", "keys.json"}
            must(listed.keys() | beside == sums.keys(), f"{export}: {listed.keys() ^ sums.keys()}")
            must(all(sums.get(name) == sha256 for name, sha256 in listed.items()), f"{export}: other bytes")
            harmful = {one.sha256 for one in self.model.uploads_of(citizen) if one.infected}
            must(not harmful & set(sums.values()), f"{export}: something harmful")
            # What is past its retention since may have gone before it was put in.
            for document_id in {one for one in citizen.asked_export if not self.model.documents[one].over}:
                known = self.model.documents[document_id].sha256
                name = f"documents/{document_id}/original.pdf"
                must(sums.get(name) == known, f"{export}: {name} is missing or another")
            said = {"manifest_sha256": sums["manifest.json"], "sub": citizen.sub}
            self.model.exports.append((citizen.name, archive.read("manifest.jws").decode(), said))
        self.place.figures.exports += 1

    # Whoever was given a link

    async def relying_party(self, rng: Random) -> None:
        match _weighted(rng, open=5, code=1, again=3, verify=2, gone=1):
            case "code" if any(one.code for one in self.model.shares):
                await self.open(rng, rng.choice([one for one in self.model.shares if one.code][-4:]), by_code=True)
            case "gone" if any(one.erased_at for one in self.model.citizens):
                await self.look_for_the_gone(rng, rng.choice([one for one in self.model.citizens if one.erased_at]))
            case "verify" if self.model.documents:
                await self.verify(rng, rng.choice(list(self.model.documents.values())))
            case "again" if self.model.shares:
                await self.look_again(rng, rng.choice(self.model.shares))
            case _:
                shares = [one for one in self.model.shares if one.ended_at is None and one.left > 0]
                if rng.random() < 0.8:
                    shares = [one for one in shares if one.over_since is None]
                if shares:
                    await self.open(rng, rng.choice(shares[-8:]))
                elif self.model.documents:
                    await self.verify(rng, rng.choice(list(self.model.documents.values())))

    async def open(self, rng: Random, share: Share, *, by_code: bool = False) -> None:
        began, changes, steady = time.monotonic(), share.changes, not share.busy and share.left > 0
        connection = share.connection
        between = connection.changes if connection else 0
        steady = steady and (connection is None or connection.stands)
        owner = self.model.owner_of(share)
        steady = steady and time.time() < share.until - 30 and not owner.ending_all
        right = by_code or rng.random() < 0.9
        # A link for one service is opened by that one; now and then another one tries.
        client_id = share.client_id if right else SCHOOL
        pin = share.pin if right else "000000"
        wrong = (share.client_id is not None and client_id != share.client_id) or (
            share.pin is not None and pin != share.pin
        )
        asked_at = time.time()
        share.maybe += 1
        answer = await self.calls.send(
            "bank",
            rng.randrange(2),
            "POST",
            "/code" if by_code else share.path,
            token=self.place.client_token(client_id, "documents:deposit") if client_id else None,
            json={"code": share.code} if by_code else {"pin": pin} if share.pin else {},
        )
        if answer is None or answer.status_code >= 500:
            return
        share.maybe -= 1
        if answer.status_code != 200:
            steady = steady and not wrong and changes == share.changes and share.ended_at is None
            steady = steady and answer.status_code != 429 and not owner.leaving
            steady = steady and not any(one.over for one in share.documents)
            steady = steady and (connection is None or connection.changes == between)
            self.calls.must(not steady, f"{share.path}: a living share answered {answer.status_code} {answer.text}")
            return
        said = answer.json()
        share.opened.append(said)
        self.place.figures.codes += by_code
        self.calls.must(not wrong, f"{share.path}: opened by somebody else, or without its PIN")
        over = share.over_since
        self.calls.must(over is None or over > began, f"{share.path}: opened after its end")
        self.calls.must(asked_at < share.until + 1, f"{share.path}: opened after its time")
        self.calls.must(len(share.opened) <= share.openings_max or share.busy, f"{share.path}: opened too often")
        self.shows_what_it_may(share, said, began)

    async def look_again(self, rng: Random, share: Share) -> None:
        if not share.opened:
            return
        opened, began = rng.choice(share.opened), time.monotonic()
        path = f"/o/{opened['opening_id']}"
        more = ["", "/receipt"]
        if opened["documents"] and opened["documents"][0]["original"] and not share.view_only:
            more.append("/" + opened["documents"][0]["original"].split("/o/")[1].partition("/")[2])
        chosen = rng.choice(more)
        answer = await self.calls.send("bank", rng.randrange(2), "GET", path + chosen, token=opened["viewing_token"])
        if answer is None or answer.status_code != 200:
            return
        over = share.over_since
        self.calls.must(over is None or over > began, f"{path}{chosen}: shown after its end")
        if not chosen:
            self.shows_what_it_may(share, answer.json(), began)
        elif chosen != "/receipt":
            document = next(one for one in share.documents if one.document_id in chosen)
            self.calls.must(answer.content == document.pdf, f"{path}{chosen}: other bytes")
            self.may_be_shown(document, began, f"{path}{chosen}")

    def shows_what_it_may(self, share: Share, said: dict[str, Any], began: float) -> None:
        known = {one.document_id: one for one in share.documents}
        for shown in said["documents"]:
            issued = shown["answer"]["document"]
            document_id = issued["uri"].rpartition("-")[2]
            document = known.get(document_id)
            if document is None and share.connection is not None:
                # Which one it is was the locker's choice: of the citizen, valid, and of the type that was allowed.
                document = self.found(share, document_id)
            elif document is None:
                self.calls.fail(f"{share.path} shows {document_id}, which is not in it")
                continue
            if document is not None and (shown["pictures"] or shown["original"] or shown["credential"]):
                self.may_be_shown(document, began, share.path)

    def found(self, share: Share, document_id: str) -> Document | None:
        """None where the answer to its deposit is not here yet."""
        document = self.model.documents.get(document_id)
        if document is None:
            self.model.seen.setdefault(document_id, share.owner)
            return None
        right = document.owner == share.owner and document.type == BIRTH
        self.calls.must(right, f"{share.path} shows {document}, which was never allowed")
        share.documents.append(document)
        return document

    def may_be_shown(self, document: Document, began: float, what: str) -> None:
        """Not what was revoked or suspended before that was asked, and is so still."""
        gone = document.gone_at is not None and document.gone_at < began
        self.calls.must(not gone, f"{what}: {document.document_id} is shown after its retention")
        standing = document.standing
        stopped = standing in ("revoked", "suspended") and document.since < began and not document.busy
        self.calls.must(not stopped, f"{what}: {document.document_id} is shown after it was {standing}")

    async def verify(self, rng: Random, document: Document) -> None:
        before, changes, free = document.standing, document.changes, not document.busy
        spoilt = rng.random() < 0.2
        at = len(document.pdf) // 2
        pdf = document.pdf[:at] + bytes([document.pdf[at] ^ 1]) + document.pdf[at + 1 :] if spoilt else document.pdf
        answer = await self.calls.send(
            "bank",
            rng.randrange(2),
            "POST",
            "/v1/verifications",
            content=pdf,
            headers={"Content-Type": "application/pdf"},
        )
        if answer is None or answer.status_code != 200:
            return
        said = answer.json()["answer"]
        if spoilt:
            self.calls.must(said["standing"] == "unknown", f"{document.document_id}: spoilt and {said['standing']}")
            return
        sound = said["signature"]["indication"] == "TOTAL-PASSED"
        self.calls.must(sound, f"{document.document_id}: {said['signature']}")
        leaving = [one for one in map(self.model.owner_of, document.whole) if one.leaving]
        if leaving or any(one.over for one in document.whole):
            return
        if free and changes == document.changes:
            self.calls.must(said["standing"] == before, f"{document.document_id}: {said['standing']}, it is {before}")

    async def look_for_the_gone(self, rng: Random, citizen: Citizen) -> None:
        """With a token that the provider would still give: neither what was theirs nor that it was."""
        documents = [one for one in self.model.of(citizen) if not one.held]
        paths = ["/v1/documents", "/v1/history", "/v1/shares", "/v1/uploads", "/v1/export"]
        paths += [f"/v1/documents/{one.document_id}/original" for one in documents[:3]]
        answer = await self.get(citizen, rng, path := rng.choice(paths))
        shown = answer is not None and answer.status_code == 200
        self.calls.must(not shown, f"{path} of {citizen.name}, who was erased: {answer and answer.text[:300]}")

    # What they need

    def pdf(self, administration: str, text: str, pages: int) -> bytes:
        pki = self.place.rig.pki
        return sealed(pki, pki.seals[administration], text=text, pages=pages)

    def data(self, administration: str, text: str) -> tuple[bytes, bytes]:
        """And its signature, with a time stamp."""
        data = json.dumps({"family_name": text}).encode()
        return data, cades(data, seal_of(self.place.rig, administration), stamped=True)


def verified(jws: str, jwks: Any, typ: str) -> dict[str, Any] | None:
    """None: nobody of these signed it."""
    try:
        return verify(jws, PublicKeys(jwks), algorithms=["ES256"], typ=[typ], require=["iat"])
    except TokenRefused:
        return None


def _weighted(rng: Random, **weights: int) -> str:
    return rng.choices(list(weights), list(weights.values()))[0]


def _moment(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
