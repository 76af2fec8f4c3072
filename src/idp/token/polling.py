"""How it stands with what a client waits for (RFC 8628 §3.5, CIBA Core §11); each flow has a table of its own."""

from collections.abc import Sequence

from idp.clients.store import Seen, spending
from kit.db import Tx


async def poll(
    tx: Tx, statement: str, waiting_sha256: bytes, *, client_id: str, once: Sequence[Seen]
) -> tuple[Sequence[bytes], str]:
    """Which of ``once`` were fresh, and ``unknown``, ``expired``, ``denied``, ``pending`` or ``too-fast``. A poll that
    comes too early makes the interval longer, for this one and all that follow; with a replay nothing else is written.
    """
    row = await tx.fetchrow(statement, *spending(once), waiting_sha256, client_id)
    assert row is not None
    return row["seen"], row["state"]
