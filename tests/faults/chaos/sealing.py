"""Seals that the locker makes for an administration, with time stamps where somebody gives them."""

import asyncio
import hashlib
import json
import time
from collections.abc import Awaitable
from random import Random

import httpx

from kit.db import Database
from tests.faults.chaos.calls import Calls
from tests.faults.chaos.model import Seal
from tests.faults.chaos.operations import Operations
from tests.faults.chaos.place import Place
from tests.locker_world import JUSTICE, client_of, plain_pdf

SCOPE = "documents:seal"
COMPLETED_MAX_S = 240
FETCHED = 4
"""Seals whose files are fetched after a phase."""


class Sealing:
    def __init__(self, place: Place, calls: Calls, operations: Operations) -> None:
        self._place, self._calls, self._model, self._operations = place, calls, place.model, operations

    async def act(self, rng: Random) -> None:
        mine = [one for one in self._model.seals if not one.busy]
        chosen = rng.random()
        if mine and chosen < 0.3:
            await self._fetch(rng.choice(mine[-6:]), rng.randrange(2), first=rng.random() < 0.5)
        elif mine and chosen < 0.4:
            await self._read(rng, rng.choice(mine))
        else:
            await self._seal(rng)
        await asyncio.sleep(rng.random())

    async def _ask(self, who: str, node: int, method: str, path: str, **parts: object) -> httpx.Response | None:
        token = self._place.client_token(client_of(JUSTICE), SCOPE)
        return await self._calls.send(who, node, method, path, token=token, **parts)

    async def _seal(self, rng: Random) -> None:
        key = self._operations.name(rng, "seal")
        wanted = rng.choice(("B-B", "B-T", "B-T", "B-LT", "B-LTA"))
        said = {"level": wanted, "fall_back": rng.random() < 0.8}
        pdf = await asyncio.to_thread(plain_pdf, key)
        seal = Seal(key=key, wanted=wanted)

        def attempt(node: int) -> Awaitable[httpx.Response | None]:
            return self._ask(
                key,
                node,
                "POST",
                "/v1/seals",
                headers={"Idempotency-Key": f'"{key}"'},
                files={
                    "document": ("d.pdf", pdf, "application/pdf"),
                    "seal": ("s.json", json.dumps(said).encode(), "application/json"),
                },
            )

        def then(answer: httpx.Response) -> None:
            if answer.status_code != 201:
                return self._calls.fail(f"{key}: {answer.status_code} {answer.text}")
            self._answered(seal, answer)
            seal.phase = self._model.phase
            self._model.seals.append(seal)
            self._place.figures.seals += 1
            return None

        await self._operations.settle(key, attempt, then)
        if seal.seal_id and rng.random() < 0.3:
            # Asked for again it is the same one.
            answer = await attempt(rng.randrange(2))
            if answer is not None and answer.status_code == 201:
                self._answered(seal, answer)

    def _answered(self, seal: Seal, answer: httpx.Response) -> None:
        said = answer.json()
        self._calls.must(seal.seal_id in ("", said["seal_id"]), f"{seal.key}: another seal: {answer.text}")
        seal.seal_id = said["seal_id"]
        known = seal.files.setdefault(said["version"], said["sha256"])
        self._calls.must(known == said["sha256"], f"{seal.key}: version {said['version']} is another file")
        self._calls.must(said["indication"] == "TOTAL-PASSED", f"{seal.key}: {answer.text}")
        whole = said["pending"] == seal.wanted or (said["pending"] is None and said["level"] >= seal.wanted)
        self._calls.must(whole, f"{seal.key}: wanted {seal.wanted}: {answer.text}")

    async def _read(self, rng: Random, seal: Seal) -> None:
        answer = await self._ask("justice", rng.randrange(2), "GET", f"/v1/seals/{seal.seal_id}")
        if answer is not None and answer.status_code == 200:
            self._answered(seal, answer)
        elif answer is not None:
            self._calls.must(answer.status_code >= 500, f"{seal.key}: {answer.status_code} {answer.text}")

    async def _fetch(self, seal: Seal, node: int, *, first: bool) -> bytes | None:
        at = f"/v1/seals/{seal.seal_id}/document"
        answer = await self._ask("justice", node, "GET", f"{at}?version=1" if first else at)
        if answer is None or answer.status_code != 200:
            gone = answer is not None and answer.status_code < 500
            self._calls.must(not gone, f"{at}: {answer and answer.text}")
            return None
        sha256 = hashlib.sha256(answer.content).hexdigest()
        known = {seal.files.get(1)} if first else set(seal.files.values())
        # It may have got the rest since it was answered.
        fits = sha256 in known or (not first and 1 in seal.files and seal.wanted != "B-B")
        self._calls.must(fits, f"{at}: other bytes")
        return answer.content

    async def check(self, db: Database) -> None:
        """One seal for each key; what was pending is made, and each later file begins with the former one."""
        rows = {row["seal_id"]: row for row in await db.fetch(_SEALS)}
        for seal in self._model.seals:
            row = rows.get(seal.seal_id)
            if row is None:
                self._calls.fail(f"{seal.key} is lost")
                continue
            self._calls.must(row["made"] == 1, f"{seal.key}: {row['made']} lines")
            self._calls.must(row["versions"] == row["version"], f"{seal.key}: {row['versions']} of {row['version']}")
        made = {one.seal_id for one in self._model.seals}
        more = {seal_id for seal_id, row in rows.items() if row["level"] is not None} - made
        self._calls.must(not more, f"seals that no key was answered with: {more}")
        await self._completed(db)
        for seal in self._model.seals[-FETCHED:]:
            newest, first = await self._fetch(seal, 0, first=False), await self._fetch(seal, 1, first=True)
            begins = newest is not None and first is not None and newest.startswith(first)
            self._calls.must(begins, f"{seal.key}: its last file does not begin with its first")

    async def _completed(self, db: Database) -> None:
        """Those that waited since a phase before: whoever was away then is back for long."""
        before = [one.seal_id for one in self._model.seals if one.phase < self._model.phase]
        end = time.monotonic() + COMPLETED_MAX_S
        while waiting := await db.fetch(
            "SELECT seal_id FROM locker.seal WHERE pending IS NOT NULL AND seal_id = ANY ($1)", before
        ):
            if time.monotonic() > end:
                self._calls.fail(f"seals that never got the rest: {[row['seal_id'] for row in waiting]}")
                return
            await self._place.as_owner("UPDATE locker.seal SET next_try_at = now() WHERE pending IS NOT NULL")
            await asyncio.sleep(1)
        raised = await db.fetchval("SELECT count(*) FROM locker.audit WHERE action = 'seal.raised'")
        self._place.figures.raised = raised
        given_up = await db.fetchval("SELECT count(*) FROM locker.audit WHERE action = 'seal.given-up'")
        self._calls.must(given_up == 0, f"{given_up} seals were given up")


_SEALS = """
    SELECT s.seal_id, s.level, s.version,
           (SELECT count(*) FROM locker.seal_version v
             WHERE v.administration = s.administration AND v.seal_id = s.seal_id) AS versions,
           (SELECT count(*) FROM locker.audit a WHERE a.object_id = s.seal_id AND a.action = 'seal.made') AS made
      FROM locker.seal s"""
