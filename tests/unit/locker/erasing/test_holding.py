"""What a citizen is said to hold is the sum of what is there, whatever happened before."""

import hashlib
import json
import random
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from khizana.rounds import sweep_locker
from locker.catalogue.register_type import register_type
from locker.catalogue.schema import TypeRegistration
from locker.documents.read import Reader
from locker.erasing.ask import ask
from locker.erasing.erase import erase_due
from locker.references.keep_copy import keep_copy
from locker.retention.hold import place_hold, release_hold
from locker.retention.remove_overdue import remove_overdue
from tests.citizen_browser import CitizenWorld, open_citizen_world
from tests.conftest import ROOT
from tests.locker_world import BIRTH, INTERIOR, SCHEMA, World, names
from tests.sites import Site, authority_files, running_site
from tests.unit.locker.deposits.signed_parts import signed, stamped_by

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOST = "docs.site.test"


@dataclass
class Place:
    locker: CitizenWorld
    site: Site

    @property
    def world(self) -> World:
        return self.locker.world

    def newcomer(self) -> str:
        uid = f"30{secrets.randbelow(10**8):08}"
        self.world.subs[uid] = self.world.provider.enrol(uid)
        return uid

    async def agrees(self, *uids: str) -> None:
        """The row of the holding, and the sum of what is there; none is nothing."""
        for uid in uids:
            owner = self.world.subs[uid]
            [said] = await self.world.rows(
                """
                SELECT coalesce((SELECT (documents, bytes) FROM locker.holding WHERE owner = $1),
                                (0::bigint, 0::bigint))::text AS documents,
                       coalesce((SELECT (uploads, bytes) FROM locker.upload_holding WHERE owner = $1),
                                (0::bigint, 0::bigint))::text AS uploads""",
                owner,
            )
            [there] = await self.world.rows(
                """
                SELECT (SELECT (count(*), coalesce(sum(d.length + coalesce(s.length, 0)), 0))::text
                          FROM locker.document d LEFT JOIN locker.signed_data s USING (owner, document_id)
                         WHERE d.owner = $1) AS documents,
                       (SELECT (count(*), coalesce(sum(length), 0))::text
                          FROM locker.upload WHERE owner = $1 AND gone_at IS NULL) AS uploads""",
                owner,
            )
            assert said == there, uid


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(dsns: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    folder: Path = tmp_path_factory.mktemp("locker")
    async with (
        running_site() as site,
        open_citizen_world(
            dsns,
            s3,
            folder,
            outbound_ca_file=authority_files()[0],
            outbound_loopback=True,
            deposit_intent_grace_s=0,
            documents_per_owner_max=9,
            uploads_per_owner_max=4,
        ) as opened,
    ):
        world = opened.world
        world.wiring.references.fetcher._resolve_blocking = lambda host, port: ["127.0.0.1"]
        await world.owner_db.execute("INSERT INTO locker.administration_domain VALUES ($1, 'site.test')", INTERIOR)
        kept = TypeRegistration(
            type=BIRTH, names=names(BIRTH), category="civil-status", fields=SCHEMA, retention_days=30
        )
        await register_type(world.wiring.db, world.wiring.audit, kept, officer="test")
        yield Place(opened, site)


def with_data(world: World) -> dict[str, bytes]:
    with stamped_by(world):
        return {"pdf": world.sealed(text=secrets.token_hex(4)), **signed(world, "jades")}


async def aged(place: Place, document_id: str) -> None:
    await place.world.owner_db.execute(
        "UPDATE locker.document SET deposited_at = now() - interval '40 days' WHERE document_id = $1", document_id
    )


async def retained(place: Place) -> int:
    return (await remove_overdue(place.world.wiring.db, place.world.wiring.audit)).documents


async def test_v_21_what_retention_takes_is_counted_with_its_data(place: Place) -> None:
    uid = place.newcomer()
    gone = await place.locker.document(uid, **with_data(place.world))
    await place.locker.document(uid, **with_data(place.world))
    await place.agrees(uid)
    await aged(place, gone)
    assert await retained(place) == 1
    await place.agrees(uid)


async def test_v_21_what_a_hold_keeps_is_counted_with_its_data(place: Place) -> None:
    uid, wiring = place.newcomer(), place.world.wiring
    held = await place.locker.document(uid, **with_data(place.world))
    await place.locker.document(uid, **with_data(place.world))
    await place_hold(wiring.db, wiring.audit, wiring.vault, document_id=held, reference="R", officer="clerk")
    await erased(place, uid)
    await place.agrees(uid)
    assert await place.world.rows("SELECT document_id FROM locker.document WHERE owner = $1", place.world.subs[uid])
    await release_hold(wiring.db, wiring.audit, document_id=held, reference="R", officer="clerk")
    await erased(place, uid)
    await place.agrees(uid)


async def erased(place: Place, uid: str) -> None:
    wiring = place.world.wiring
    if not await place.world.rows("SELECT 1 FROM locker.erasure WHERE owner = $1", place.world.subs[uid]):
        await ask(
            wiring.db, wiring.audit, owner=place.world.subs[uid], by="officer", actor="t", wait_s=0, reference="R"
        )
    await erase_due(wiring.db, wiring.audit, wiring.vault, settled_s=0)


async def test_what_was_counted_wrongly_before_is_put_right_by_the_migration(place: Place) -> None:
    uid, other = place.newcomer(), place.newcomer()
    await place.locker.document(uid, **with_data(place.world))
    await place.locker.document(other)
    await place.world.owner_db.execute(
        "UPDATE locker.holding SET bytes = bytes + 1000, documents = documents + 1 WHERE owner = $1",
        place.world.subs[uid],
    )
    text = (ROOT / "migrations" / "locker" / "0146_holding.sql").read_text(encoding="utf-8")
    await place.world.owner_db.execute(text[text.index("UPDATE locker.holding AS wrong") :])
    await place.agrees(uid, other)


@dataclass
class History:
    """Random acts of one citizen, of a neighbour with whom documents are shared, and of the worker."""

    place: Place
    chance: random.Random
    uid: str
    neighbour: str
    last: tuple[str, dict[str, Any]] | None = None
    log: list[str] = field(default_factory=list)

    async def act(self) -> None:
        acts = (
            self.deposit, self.deposit_data, self.deposit_twice, self.deposit_of_two, self.supersede, self.refer,
            self.copy, self.let_go, self.upload, self.bin, self.restore, self.destroy, self.bin_ends, self.retain,
        )  # fmt: skip
        one = self.chance.choice(acts)
        self.log.append(f"{one.__name__}: {await one()}")

    async def _documents(self, where: str = "true") -> list[str]:
        rows = await self.place.world.rows(
            f"SELECT document_id FROM locker.document WHERE owner = $1 AND {where} ORDER BY deposited_at",
            self.place.world.subs[self.uid],
        )
        return [row["document_id"] for row in rows]

    async def _uploads(self, where: str) -> list[str]:
        rows = await self.place.world.rows(
            f"SELECT upload_id FROM locker.upload WHERE owner = $1 AND gone_at IS NULL AND {where}"
            " ORDER BY uploaded_at",
            self.place.world.subs[self.uid],
        )
        return [row["upload_id"] for row in rows]

    async def _deposited(self, **parts: Any) -> int:
        parts = {"uid": self.uid, "pdf": self.place.world.sealed(text=secrets.token_hex(4)), **parts}
        self.last = secrets.token_hex(8), parts
        return (await self.place.world.deposit(key=self.last[0], **parts)).status_code

    async def deposit(self) -> int:
        return await self._deposited()

    async def deposit_data(self) -> int:
        return await self._deposited(**with_data(self.place.world))

    async def deposit_twice(self) -> int | None:
        """The answer was lost on its way."""
        if self.last is None:
            return None
        return (await self.place.world.deposit(key=self.last[0], **self.last[1])).status_code

    async def deposit_of_two(self) -> int:
        data = with_data(self.place.world) if self.chance.random() < 0.5 else {}
        return await self._deposited(**{**data, "uid": None}, subjects=[{"uid": self.uid}, {"uid": self.neighbour}])

    async def supersede(self) -> int | None:
        current = await self._documents("state = 'valid'")
        return await self._deposited(replaces=self.chance.choice(current)) if current else None

    async def refer(self) -> int:
        world, pdf = self.place.world, self.place.world.sealed(text=secrets.token_hex(4))
        path = f"/{secrets.token_hex(8)}.pdf"
        self.place.site.serve(path, pdf, "application/pdf")
        request = {
            "type": BIRTH,
            "subject": {"uid": self.uid},
            "fields": {"family_name": "Alaoui"},
            "url": self.place.site.url(path, host=HOST),
            "sha256": hashlib.sha256(pdf).hexdigest(),
        }
        headers = {**world.machine(INTERIOR), "Idempotency-Key": f'"{secrets.token_hex(16)}"'}
        answer = await world.locker.post("/v1/deposits/references", headers=headers, content=json.dumps(request))
        return answer.status_code

    async def copy(self) -> str | None:
        kept = await self._documents("by_reference")
        if not kept:
            return None
        owner = self.place.world.subs[self.uid]
        await keep_copy(self.place.world.wiring.references, Reader(owner=owner, actor=owner), self.chance.choice(kept))
        return "kept"

    async def let_go(self) -> None:
        """Nobody asked for it for long: the object goes, the document stays."""
        world = self.place.world
        await world.owner_db.execute(
            "UPDATE locker.reference SET confirmed_at = now() - interval '90 days' WHERE owner = $1",
            world.subs[self.uid],
        )
        await sweep_locker(world.wiring.db, world.wiring.vault, world.wiring.settings)

    def _wallet(self) -> dict[str, str]:
        return self.place.world.citizen(self.uid, scope="documents:upload")

    async def upload(self) -> int:
        pdf = b"%PDF-1.4\n" + self.place.world.sealed(text=secrets.token_hex(4))[9:]
        answer = await self.place.world.locker.post(
            "/v1/uploads",
            headers={**self._wallet(), "Idempotency-Key": f'"{secrets.token_hex(8)}"'},
            files={"file": ("facture.pdf", pdf, "application/octet-stream")},
        )
        return answer.status_code

    async def _of_upload(self, method: str, where: str, path: str = "") -> int | None:
        found = await self._uploads(where)
        if not found:
            return None
        url = f"/v1/uploads/{self.chance.choice(found)}{path}"
        answer: httpx.Response = await self.place.world.locker.request(method, url, headers=self._wallet())
        return answer.status_code

    async def bin(self) -> int | None:
        return await self._of_upload("DELETE", "binned_at IS NULL")

    async def restore(self) -> int | None:
        return await self._of_upload("POST", "binned_at IS NOT NULL", "/restore")

    async def destroy(self) -> int | None:
        return await self._of_upload("DELETE", "binned_at IS NOT NULL", "?for_good=true")

    async def bin_ends(self) -> None:
        world = self.place.world
        await world.owner_db.execute(
            "UPDATE locker.upload SET purge_at = now() WHERE owner = $1 AND purge_at IS NOT NULL", world.subs[self.uid]
        )
        await sweep_locker(world.wiring.db, world.wiring.vault, world.wiring.settings)

    async def retain(self) -> int | None:
        found = await self._documents()
        if not found:
            return None
        await aged(self.place, self.chance.choice(found))
        return await retained(self.place)


@pytest.mark.parametrize("seed", range(8))
async def test_v_21_after_any_history_the_holding_is_the_sum_of_what_is_there(place: Place, seed: int) -> None:
    history = History(place, random.Random(seed), place.newcomer(), place.newcomer())
    for _ in range(25):
        await history.act()
        try:
            await place.agrees(history.uid, history.neighbour)
        except AssertionError as wrong:
            raise AssertionError("\n".join(history.log)) from wrong
    wiring = place.world.wiring
    for document_id in (await history._documents())[::3]:
        await place_hold(wiring.db, wiring.audit, wiring.vault, document_id=document_id, reference="R", officer="c")
    for uid in (history.uid, history.neighbour):
        await erased(place, uid)
        await place.agrees(history.uid, history.neighbour)
