import datetime as dt
from pathlib import Path
from typing import Any

from tests.citizen_browser import open_citizen_world


async def test_the_longest_life_of_a_link_is_a_setting(dsns: Any, s3: Any, tmp_path: Path) -> None:
    day_s = 86_400
    async with open_citizen_world(dsns, s3, tmp_path, share_lifetime_max_s=day_s) as short:
        document_id = await short.document()
        share_id, _path = await short.share(document_id)
        [row] = await short.world.rows(
            "SELECT extract(epoch FROM until - created_at)::float8 AS s FROM locker.share WHERE share_id = $1", share_id
        )
        assert day_s - 5 < row["s"] <= day_s
        until = (dt.datetime.now(dt.UTC) + dt.timedelta(days=2)).isoformat()
        body = {"documents": [document_id], "recipient": "R", "purpose": "P", "until": until}
        answer = await short.world.locker.post("/v1/shares", headers=short.share_headers(), json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "limit-too-wide")
        citizen = await short.signed_in()
        step = await citizen.submit(await citizen.get("/wallet/shares/new"), document=[document_id])
        step = await citizen.submit(await citizen.get(step.headers["location"]), recipient="R", purpose="P")
        limits = await citizen.get(step.headers["location"])
        assert 'name="days" value="1"' in limits.text
        assert 'name="days" value="3"' not in limits.text
