from collections.abc import Sequence
from uuid import UUID

from idp.token import store
from kit.db import Tx

_SHOWN_MAX = 100


async def exchanged_by(tx: Tx, citizen_id: UUID) -> Sequence[str]:
    """Clients that go on with a token of this citizen's which was another client's (RFC 8693)."""
    return await store.select_exchanging(tx, citizen_id, count_max=_SHOWN_MAX)
