from collections.abc import Sequence

from idp.backchannel import store
from idp.clients.store import Seen
from idp.token import polling
from kit.db import Tx


async def poll(tx: Tx, auth_req_id_sha256: bytes, client_id: str, once: Sequence[Seen]) -> tuple[Sequence[bytes], str]:
    """How it stands with an auth_req_id to which nothing was given yet (CIBA Core §11)."""
    return await polling.poll(tx, store.POLL, auth_req_id_sha256, client_id=client_id, once=once)
