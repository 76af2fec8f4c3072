from msgspec import UNSET

from locker.deposits import receive
from locker.deposits.desk import DepositDesk
from locker.deposits.examine import Examined
from locker.deposits.refusals import VaultFull
from locker.documents.foresee import has_room, is_taken
from locker.documents.lifecycle_refusals import ReferenceTaken


async def foresee(desk: DepositDesk, received: receive.Received, examined: Examined, *, administration: str) -> None:
    """What keeping it would be refused for, as far as it can be known before. Raises VaultFull, ReferenceTaken."""
    limits, reference = desk.limits, examined.request.reference
    length = received.pdf_length + (received.data.length if received.data else 0)
    for owner in examined.owners:
        if not await has_room(
            desk.db,
            owner=owner.sub,
            length=length,
            documents_max=limits.documents_per_owner_max,
            bytes_max=limits.bytes_per_owner_max,
        ):
            raise VaultFull(documents=limits.documents_per_owner_max, bytes=limits.bytes_per_owner_max)
    if reference is not UNSET and await is_taken(desk.db, administration=administration, reference=reference):
        raise ReferenceTaken
