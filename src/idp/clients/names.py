from collections.abc import Collection, Mapping

import msgspec

from idp.clients import store
from idp.clients.schema import ClientMetadata
from kit.db import Tx


async def names_of(tx: Tx, client_ids: Collection[str], language: str) -> Mapping[str, str]:
    """The registered name of each of these clients that exists, in the language of a page."""
    rows = await store.select_metadata(tx, client_ids)
    return {row["client_id"]: msgspec.convert(row["metadata"], ClientMetadata).names()[language] for row in rows}
