"""A citizen's world whose log is sequenced when a test says so, and the example program that knows nothing of us."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import httpx

from locker.log.sequence import Sequencer, sequence
from tests.citizen_browser import CitizenWorld, open_citizen_world
from tests.conftest import ROOT

EXAMPLE = ROOT / "examples" / "verify_proof.py"


def example() -> Any:
    spec = spec_from_file_location("verify_proof", EXAMPLE)
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


VERIFY = example().verify


class LoggedWorld:
    def __init__(self, place: CitizenWorld) -> None:
        self.place = place
        wiring = place.world.wiring
        self.sequencer = Sequencer(wiring.db, wiring.log_objects, wiring.log_key)

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.place.world.locker.get(path, headers=headers)

    async def history(self, query: str = "", **of: str) -> list[dict[str, Any]]:
        answer = await self.get(f"/v1/history?{query}", **self.place.world.citizen(**of))
        assert answer.status_code == 200, answer.text
        return list(answer.json()["events"])

    async def proof(self, audit_id: str, **of: str) -> httpx.Response:
        return await self.get(f"/v1/history/{audit_id}/proof", **self.place.world.citizen(**of))


@asynccontextmanager
async def open_logged_world(dsns: Any, s3: Any, folder: Path) -> AsyncIterator[LoggedWorld]:
    async with open_citizen_world(dsns, s3, folder) as opened:
        log = LoggedWorld(opened)
        await opened.share(await opened.document())
        await sequence(log.sequencer)
        yield log
