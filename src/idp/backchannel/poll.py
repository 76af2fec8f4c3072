from collections.abc import Sequence

from idp.backchannel import store
from idp.backchannel.schema import SLOWER_S
from idp.clients.store import Seen
from kit.db import Tx


async def poll(tx: Tx, auth_req_id_sha256: bytes, client_id: str, once: Sequence[Seen]) -> tuple[Sequence[bytes], str]:
    """How it stands with an auth_req_id to which nothing was given yet (CIBA Core §11): ``unknown``, ``expired``,
    ``denied``, ``pending`` or ``too-fast``; and which of ``once`` were fresh. As for devices."""
    row = await store.poll(tx, auth_req_id_sha256, client_id=client_id, once=once, slower_s=SLOWER_S)
    return row["seen"], row["state"]
