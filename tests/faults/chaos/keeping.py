"""Documents that are past the retention of their type, and those of them that the law holds."""

import asyncio
import time
from random import Random

from khizana.databases import connected
from kit.audit import Audit
from kit.db import Database
from locker.retention.remove_overdue import remove_overdue
from tests.faults.chaos.calls import Calls
from tests.faults.chaos.model import Document
from tests.faults.chaos.operations import Operations
from tests.faults.chaos.operators import DONE, PAUSE_S, Operators
from tests.faults.chaos.place import RETAINED, RETENTION_DAYS, Place

ORDER = "CA 7/2026"
OVER_EACH = 3
"""Documents whose time is over with a phase."""
AGED_DAYS = RETENTION_DAYS + 2


class Keeping:
    def __init__(self, place: Place, calls: Calls, operations: Operations, operators: Operators) -> None:
        self._place, self._calls, self._model = place, calls, place.model
        self._operations, self._operators = operations, operators

    async def begin(self, rng: Random) -> None:
        """Years go by for some documents; nobody changes them at this moment."""
        young = [one for one in self._retained() if not one.over and not any(each.busy for each in one.whole)]
        for document in rng.sample(young, min(len(young), OVER_EACH)):
            for one in document.whole:
                one.over = True
                await self._place.as_owner(
                    """UPDATE locker.document SET deposited_at = deposited_at - make_interval(days => $2)
                        WHERE document_id = $1""",
                    one.document_id,
                    AGED_DAYS,
                )

    async def act(self, rng: Random) -> None:
        mine = [one for one in self._retained() if not one.busy]
        held = [one for one in mine if one.held]
        over = [one for one in mine if one.over and not one.held]
        match rng.choice(("place", "place", "release", "retention", "retention", "wait")):
            case "place" if mine:
                # Most of all where it is nearly too late.
                await self._place_hold(rng.choice(over or mine))
            case "release" if held:
                await self._release(rng.choice(held))
            case "retention":
                await self._operators.run("retention", *rng.choice(((), ("--dry-run",))))
            case _:
                pass
        await asyncio.sleep(PAUSE_S)

    def _retained(self) -> list[Document]:
        """Of citizens who stay for good: who leaves has holds of other orders."""
        return [
            one
            for one in self._model.documents.values()
            if one.type == RETAINED and one.gone_at is None and not self._model.owner_of(one).passing
        ]

    async def _place_hold(self, document: Document) -> None:
        document.begin()

        async def once() -> bool:
            code, said = await self._operators.run("hold", "place", document.document_id, "--reference", ORDER)
            if code == DONE:
                document.held = True
            elif "document-unknown" in said:
                self._calls.must(document.over, f"{document.document_id} is within its retention, and gone")
                self._calls.must(not document.held, f"{document.document_id} was held, and is gone")
                document.gone_at = document.gone_at or time.monotonic()
            else:
                return False
            document.end()
            return True

        if not await once():
            self._operations.pending.append(once)

    async def _release(self, document: Document) -> None:
        document.begin()

        async def once() -> bool:
            code, said = await self._operators.run("hold", "release", document.document_id, "--reference", ORDER)
            if code != DONE and "hold-unknown" not in said:
                return False
            document.held = False
            document.end()
            return True

        if not await once():
            self._operations.pending.append(once)

    async def check(self, db: Database) -> None:
        """In the end what is past its time and not held is gone, and nothing else."""
        while (await remove_overdue(db, Audit("locker"))).truncated:
            pass
        over = [one for one in self._model.documents.values() if one.over and self._model.stays(one)]
        rows = await db.fetch(
            "SELECT document_id FROM locker.document WHERE document_id = ANY ($1)", [one.document_id for one in over]
        )
        there = {row["document_id"] for row in rows}
        for document in over:
            is_there, name = document.document_id in there, document.document_id
            self._calls.must(is_there or not document.held, f"{name} was held by the law, and is gone")
            self._calls.must(document.held or not is_there, f"{name} is past its retention, and stays")
            self._calls.must(document.gone_at is None or not is_there, f"{name} was gone, and is there")
            self._place.figures.retained += document.held
            if not document.held and document.gone_at is None:
                document.gone_at = time.monotonic()
        gone = {one.document_id for one in over if one.gone_at is not None}
        self._place.figures.retired = len(gone)
        # One line for each that went, whoever took it and however often they tried; in its citizen's history.
        lines = await db.fetch(
            """SELECT object_id, count(*) AS many FROM locker.audit WHERE action = 'document.retired' GROUP BY 1"""
        )
        told = {row["object_id"]: row["many"] for row in lines}
        self._calls.must(gone <= told.keys(), f"gone without a line: {gone - told.keys()}")
        self._calls.must(all(many == 1 for many in told.values()), f"gone more than once: {told}")
        self._calls.must(
            not told.keys() & {one.document_id for one in over if one.held}, f"held, and a line that it went: {told}"
        )
        async with connected(self._place.rig.deployment.owner_dsn()) as owner_db:
            rests = await owner_db.fetch(_RESTS, sorted(gone))
        self._calls.must(not rests, f"left of what is past its retention: {[dict(one) for one in rests]}")


_RESTS = """
    SELECT 'hold' AS of, document_id FROM locker.legal_hold WHERE document_id = ANY ($1)
     UNION ALL SELECT 'archived', document_id FROM locker.archived WHERE document_id = ANY ($1)
     UNION ALL SELECT 'data', document_id FROM locker.signed_data WHERE document_id = ANY ($1)
     UNION ALL SELECT 'reference', document_id FROM locker.reference WHERE document_id = ANY ($1)
     UNION ALL SELECT 'shared', document_id FROM locker.share_document WHERE document_id = ANY ($1)"""
