from collections.abc import Sequence
from uuid import UUID

from idp.authenticators import store
from idp.authenticators.schema import PasskeyLine
from kit.db import Tx


async def passkeys_of(tx: Tx, citizen_id: UUID) -> Sequence[PasskeyLine]:
    """The newest last."""
    return await store.passkeys(tx, citizen_id)


async def credential_ids_of(tx: Tx, citizen_id: UUID) -> Sequence[bytes]:
    """What a browser is told, so that it offers or avoids these."""
    return await store.credential_ids(tx, citizen_id)
