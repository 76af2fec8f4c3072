"""Citizens who are erased, by an officer's command or because they asked, while everybody else goes on."""

import json
import time
from collections.abc import Awaitable
from random import Random

import httpx

from tests.faults.chaos.calls import Calls
from tests.faults.chaos.model import Citizen, Document
from tests.faults.chaos.operations import Operations
from tests.faults.chaos.operators import DONE, Operators
from tests.faults.chaos.place import Place


class Leaving:
    def __init__(self, place: Place, calls: Calls, operations: Operations, operators: Operators) -> None:
        self._place, self._calls, self._model = place, calls, place.model
        self._operations, self._operators = operations, operators

    async def leave(self, rng: Random, citizen: Citizen) -> None:
        held = [one for one in self._model.of(citizen) if not one.busy]
        if held and rng.random() < 0.4:
            await self._hold(rng.choice(held))
        # From here on whatever is asked for may be refused; what was promised before is promised until it is answered.
        citizen.leaving = True
        if rng.random() < 0.5:
            await self._asks(citizen)
        else:
            await self._is_erased(citizen, account=rng.random() < 0.5)

    async def release(self, citizen: Citizen) -> None:
        """The holds end; what they kept goes with the next round."""
        for document in [one for one in self._model.of(citizen) if one.held]:
            code, _ = await self._operators.run("hold", "release", document.document_id, "--reference", "TPI 12/2026")
            if code == DONE:
                document.held = False

    async def _hold(self, document: Document) -> None:
        code, _ = await self._operators.run("hold", "place", document.document_id, "--reference", "TPI 12/2026")
        if code == DONE:
            document.held = True
        else:
            # It may be held or not, which only a repetition would say: it is looked up when the faults are over.
            self._operations.pending.append(lambda: self._again(document))

    async def _again(self, document: Document) -> bool:
        code, _ = await self._operators.run("hold", "place", document.document_id, "--reference", "TPI 12/2026")
        gone = self._model.owner_of(document).leaving and code != DONE
        document.held = code == DONE
        return code == DONE or gone

    async def _asks(self, citizen: Citizen) -> None:
        def attempt(node: int) -> Awaitable[httpx.Response | None]:
            token = self._place.citizen_token(citizen)
            return self._calls.send(citizen.name, node, "POST", "/v1/erasure", token=token)

        def then(answer: httpx.Response) -> None:
            # A second is over soon: who asks again may be answered by nothing that is left.
            self._calls.must(answer.status_code in (202, 410), f"erasure: {answer.status_code} {answer.text}")

        await self._operations.settle("erasure", attempt, then)

    async def _is_erased(self, citizen: Citizen, *, account: bool) -> None:
        words = ["erase", citizen.uid, "--reference", "CNDP 12/2026", "--now", *(["--account"] if account else [])]

        async def once() -> bool:
            code, said = await self._operators.run(*words)
            if code != DONE:
                # Also where its own account went before an answer was lost; and where the law holds that back.
                return "unknown-citizen" in said or "legal-hold" in said
            answer = json.loads(said)
            if answer["begun"] and not any(one.held for one in self._model.of(citizen)):
                citizen.erased_at = time.monotonic()
                for share in self._model.shares_of(citizen):
                    share.ended_at = share.ended_at or citizen.erased_at
            citizen.account_too = account
            return True

        if not await once():
            self._operations.pending.append(once)
