from collections.abc import Sequence

from kit.db import Tx
from locker.documents import store
from locker.documents.identifier import document_id_of
from locker.documents.record_schema import Predecessor


async def find_predecessors(
    tx: Tx, uri_or_id: str, *, owners: Sequence[str], administration: str, type_: str
) -> list[Predecessor] | None:
    """The current versions that a deposit may take the place of: same administration, same type, the same owners.

    In the order of ``owners``; whichever of a deposit's documents is named. None where there is no such version.
    """
    document_id = document_id_of(uri_or_id)
    if document_id is None:
        return None
    held = {member.owner: member.document_id for member in await store.members(tx, document_id=document_id)}
    if held.keys() != set(owners):
        return None
    found = []
    for owner in owners:
        one = await store.predecessor(
            tx, owner=owner, document_id=held[owner], administration=administration, type_=type_
        )
        if one is None:
            return None
        found.append(one)
    return found
