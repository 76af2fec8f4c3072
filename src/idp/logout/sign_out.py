from collections.abc import Sequence

from idp.logout import store
from idp.logout.schema import Frame
from idp.sessions.end import end
from idp.sessions.sid import sid_at
from kit.audit import Audit
from kit.db import Database, Tx

FRAMES_MAX = 20


async def sign_out(db: Database, audit: Audit, session_sha256: bytes) -> Sequence[Frame]:
    """End the session, though it be idle; the addresses that this browser must load, so that clients forget it too."""

    async def once(tx: Tx) -> Sequence[Frame]:
        ended = await end(tx, audit, session_sha256)
        if ended is None:
            return []
        rows = await store.select_frames(tx, ended.sid, count_max=FRAMES_MAX)
        return [Frame(row["uri"], sid_at(ended.sid, row["client_id"])) for row in rows]

    return await db.transact(once)
