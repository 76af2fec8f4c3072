"""The receiver that integrators start from, as it stands, hears a real delivery."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from typing import Any

import httpx
import pytest

from tests.conftest import ROOT
from tests.product import free_port
from tests.unit.locker.webhooks.told import open_told


@pytest.mark.filterwarnings("ignore::ResourceWarning")
async def test_the_example_takes_a_message_once_and_refuses_a_forged_one(
    dsns: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    port = free_port()
    async with open_told(dsns, s3, tmp_path_factory.mktemp("example")) as told:
        by = told.administration()
        made = await told.register(by, f"http://127.0.0.1:{port}/hook", "document.revoked")
        webhook_id, secret = made["webhook"]["webhook_id"], made["keys"][0]["verify_with"]
        command = [sys.executable, str(ROOT / "examples" / "verify_webhook.py"), secret, str(port)]
        receiver = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ)
        try:
            async with httpx.AsyncClient(trust_env=False) as http:
                for _ in range(200):
                    try:
                        forged = await http.post(
                            f"http://127.0.0.1:{port}/",
                            content=b"{}",
                            headers={"webhook-id": "m", "webhook-timestamp": "1", "webhook-signature": "v1,AAAA"},
                        )
                        break
                    except httpx.ConnectError:
                        await asyncio.sleep(0.05)
            assert forged.status_code == 401
            message_id = (await told.post(by, f"/{webhook_id}/test")).json()["message_id"]
            await told.deliver()
            await told.post(by, f"/{webhook_id}/replay", {"message_id": message_id})
            await told.deliver()
            (message,) = await told.messages(by, webhook_id)
            assert (message["state"], message["last_outcome"]) == ("delivered", "http-204")
        finally:
            receiver.send_signal(signal.SIGTERM)
            heard, _ = receiver.communicate(timeout=10)
    (line,) = heard.splitlines()
    assert json.loads(line)["type"] == "webhook.test"
