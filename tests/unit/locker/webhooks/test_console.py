"""``khizana webhook`` and ``khizana jobs``, as an officer types them."""

import asyncio
import json
import subprocess
import sys
from typing import Any

import pytest

from tests.locker_world import INTERIOR
from tests.unit.locker.webhooks.told import Told, open_told, verified

NOBODY = "01900000-0000-7000-8000-000000000000"


async def khizana(told: Told, *words: str, refused: bool = False) -> Any:
    command = [sys.executable, "-m", "khizana", *words]
    done = await asyncio.to_thread(
        subprocess.run, command, env=told.environ(), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == (2 if refused else 0), done.stderr
    if refused:
        return done.stderr
    lines = done.stdout.strip()
    return [json.loads(line) for line in lines.splitlines()] if words[:2] == ("jobs", "list") else json.loads(lines)


async def test_an_officer_adds_tests_rotates_replays_and_disables(
    dsns: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with open_told(dsns, s3, tmp_path_factory.mktemp("console")) as told:
        url = told.site.refuse("/hook", 500)
        made = await khizana(told, "webhook", "add", "--administration", INTERIOR, "--url", url)
        webhook_id, old = made["webhook"]["webhook_id"], made["keys"][0]["verify_with"]
        assert "document.revoked" in made["webhook"]["events"]
        message_id = (await khizana(told, "webhook", "test", webhook_id))["message_id"]
        await told.deliver()
        assert told.received()
        (job,) = await khizana(told, "jobs", "list", "--kind", "webhook")
        assert (job["state"], job["last_reason"], job["body"]["message_id"]) == ("waiting", "http-500", message_id)
        await told.world.owner_db.execute("UPDATE locker.job SET dead_at = now()")
        assert [one["state"] for one in await khizana(told, "jobs", "list", "--dead")] == ["dead"]
        told.site.serve("/hook", b"")
        new = (await khizana(told, "webhook", "rotate", webhook_id))["keys"][0]["verify_with"]
        assert "unknown-job" in await khizana(told, "jobs", "retry", NOBODY, refused=True)
        retried = await khizana(told, "jobs", "retry", job["job_id"])
        assert retried == {"retried": [job["job_id"]]}
        await told.deliver()
        (request,) = told.received()
        assert verified(request, old, new)["type"] == "webhook.test"
        (message,) = await khizana(told, "webhook", "messages", webhook_id)
        assert (message["state"], message["attempts"]) == ("delivered", 2)
        replayed = await khizana(told, "webhook", "replay", webhook_id, "--delivered", "--since", "2026-01-01T00:00:00")
        assert replayed == {"messages": 1}
        assert (await khizana(told, "webhook", "disable", webhook_id))["disabled_reason"] == "officer"
        (listed,) = await khizana(told, "webhook", "list")
        assert (listed["owner"], listed["state"]) == (INTERIOR, "disabled")
        assert "webhook-disabled" in await khizana(told, "webhook", "test", webhook_id, refused=True)
        assert (await khizana(told, "webhook", "enable", webhook_id))["state"] == "active"
        unknown = await khizana(told, "webhook", "add", "--administration", "ma.gov.nobody", "--url", url, refused=True)
        assert "unknown-administration" in unknown
        inward = await khizana(
            told, "webhook", "add", "--administration", INTERIOR, "--url", "https://10.0.0.1/", refused=True
        )
        assert "webhook-url-refused" in inward
        assert await khizana(told, "webhook", "remove", webhook_id) == {"removed": webhook_id}
        # Whoever sees the console's history sees who did it, never a key.
        rows = await told.world.rows(
            "SELECT * FROM locker.audit WHERE action LIKE 'webhook.%' OR action = 'job.retried'"
        )
        assert {row["actor_kind"] for row in rows} == {"officer"}
        assert old not in str(rows)
