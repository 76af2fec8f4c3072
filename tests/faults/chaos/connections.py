"""What citizens allow the bank at sign-in: taken, opened, and ended with the connection."""

import datetime as dt
import time
from random import Random

import asyncpg
import httpx

from idp.consents.end import end
from khizana.databases import connected
from kit.audit import Audit
from kit.errors import NotFound, Unavailable
from tests.faults.chaos.calls import Calls, code_of
from tests.faults.chaos.model import Citizen, Connection, Detail, Share
from tests.faults.chaos.operations import Operations
from tests.faults.chaos.place import BANK, Place
from tests.locker_world import BIRTH

TAKE = "/v1/requests/authorized"
SOON_OVER_S = 60


class Connections:
    def __init__(self, place: Place, calls: Calls, operations: Operations) -> None:
        self._place, self._calls, self._model, self._operations = place, calls, place.model, operations
        self.given: set[int] = set()
        """Details of which a share was made."""
        self.unsure: set[int] = set()
        """Whose citizen left before it was known."""

    async def begin(self) -> None:
        """Nothing is wrong: whoever ended the connection signs in again, and everybody allows something for once."""
        for citizen in self._model.living:
            if citizen.connections[-1].ended_at is not None:
                await self._place.connect(citizen)
            if not any(one.once and one.share is None for one in citizen.connections[-1].details):
                await self._place.allow(citizen, once=True)

    async def act(self, rng: Random) -> None:
        citizen = rng.choice(self._model.living)
        connection = citizen.connections[-1]
        chosen = rng.random()
        if chosen < 0.06 and connection.stands and any(one.share for one in connection.details):
            await self._end(rng, citizen, connection)
        elif chosen < 0.6:
            # Also of a connection that ended.
            details = [one for each in citizen.connections[-2:] for one in each.details if not one.busy]
            if details:
                await self._take(rng, citizen, rng.choice(details))
        else:
            shares = [one for one in self._model.shares if one.connection is not None and one.left > 0]
            if shares:
                await self._operations.open(rng, rng.choice(shares[-8:]))

    async def _take(self, rng: Random, citizen: Citizen, detail: Detail) -> None:
        connection, before, attempts = detail.connection, detail.share, 0
        ended, between = connection.ended_at, connection.changes
        held = [
            (one, one.changes)
            for one in self._model.of(citizen)
            if one.type == BIRTH and one.standing == "valid" and not one.busy
        ]

        async def attempt(node: int) -> httpx.Response | None:
            nonlocal attempts
            attempts += 1
            token = self._place.allowed_token(citizen, detail)
            return await self._calls.send(BANK, node, "POST", TAKE, token=token, json=detail.said)

        def then(answer: httpx.Response) -> None:
            status, code = answer.status_code, code_of(answer)
            if status in (200, 201):
                self._calls.must(ended is None, f"taken of a connection that ended: {detail.said}")
                self._taken(citizen, detail, answer, before, again=attempts > 1)
                return
            stands = ended is None and connection.stands and between == connection.changes
            had = [one for one, changes in held if one.standing == "valid" and one.changes == changes]
            fits = {
                (401, "invalid_token"): not stands,
                (403, "authorization-ended"): before is not None and _may_be_over(before, citizen),
                (409, "nothing-held"): not had,
                (409, "authorization-used"): detail.once and before is not None,
                (429, "too-many-requests"): True,
            }
            self._calls.must(fits.get((status, code), False), f"take {detail.said}: {status} {answer.text}")

        # The answer of a citizen who leaves says nothing any more.
        if citizen.leaving:
            self.unsure.add(id(detail))
        await self._operations.settle("take", attempt, then, on=detail, of=[citizen])
        if citizen.leaving and id(detail) not in self.given:
            self.unsure.add(id(detail))

    def _taken(
        self, citizen: Citizen, detail: Detail, answer: httpx.Response, before: Share | None, *, again: bool
    ) -> None:
        said = answer.json()
        path = said["share"].removeprefix(self._place.rig.home.url)
        self.given.add(id(detail))
        if before is not None and before.path == path:
            self._calls.must(answer.status_code == 200, f"{path} was made again: {answer.text}")
            return
        # Its answer may have been lost once; else it is new, and only where there was none that lived.
        self._calls.must(answer.status_code == 201 or again, f"{path} is not what was taken before: {answer.text}")
        if before is not None:
            over = before.left <= 0 or before.until < time.time() + SOON_OVER_S or before.busy
            self._calls.must(over and not detail.once, f"two shares of one detail: {before.path}, {path}")
        detail.share = Share(
            owner=citizen.sub,
            path=path,
            openings_max=1 if detail.once else 5,
            until=dt.datetime.fromisoformat(said["until"]).timestamp(),
            client_id=BANK,
            view_only=False,
            fields="fields" in detail.said,
            connection=detail.connection,
        )
        if citizen.ending_all:
            # It is ended by that, or it is not.
            detail.share.begin()
        self._place.figures.authorized += 1
        self._model.shares.append(detail.share)

    async def _end(self, rng: Random, citizen: Citizen, connection: Connection) -> None:
        """At the provider, which is what the locker asks."""
        connection.begin()

        async def once() -> bool:
            settings = self._place.rig.deployment.idp_settings()
            try:
                async with connected(settings.database_url) as db:
                    await end(db, Audit("idp"), consent_id=connection.consent_id, citizen_id=connection.citizen_id)
            except NotFound:
                # The answer of the first time was lost; or the account is gone with all that it allowed.
                pass
            except (Unavailable, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                return False
            connection.ended_at = time.monotonic()
            connection.end()
            self._place.figures.disconnected += 1
            return True

        if not await once():
            self._operations.pending.append(once)
            return
        for detail in connection.details:
            if detail.share is not None:
                await self._operations.open(rng, detail.share)
                await self._operations.look_again(rng, detail.share)


def _may_be_over(share: Share, citizen: Citizen) -> bool:
    return share.ended_at is not None or share.busy or citizen.ending_all
