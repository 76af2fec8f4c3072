from collections.abc import Sequence
from uuid import UUID

from idp.citizens.schema import Citizen
from idp.sessions.end import end_all_through
from idp.upstream import store
from idp.upstream.schema import Linking, LinkLine
from idp.upstream.tell import tell
from kit.db import Tx


async def links_of(tx: Tx, citizen_id: UUID) -> Sequence[LinkLine]:
    return await store.links_of(tx, citizen_id)


async def unlink(parts: Linking, citizen: Citizen, link_id: UUID) -> bool:
    """End the link and the sessions that it opened; False if there is no such link of this citizen."""

    async def once(tx: Tx) -> bool:
        slug = await store.delete_link(tx, link_id=link_id, citizen_id=citizen.citizen_id)
        if slug is None:
            return False
        await end_all_through(tx, parts.audit, slug, citizen_id=citizen.citizen_id, because="upstream-unlinked")
        await tell(tx, parts, citizen, slug, "upstream.unlinked")
        return True

    return await parts.db.transact(once)
