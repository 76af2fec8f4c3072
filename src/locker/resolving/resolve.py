from kit.db import Tx
from locker.resolving import store
from locker.resolving.address import Address, read_address
from locker.resolving.refusals import DocumentUriUnknown
from locker.resolving.schema import PublicDocument

# Of no document: what is malformed is looked for as well, so that no clock tells it from what was never given.
_NOBODYS = Address(document_id="", administration=None, type=None)


async def resolve(tx: Tx, text: str) -> PublicDocument:
    """DocumentUriUnknown for everything else. How the document stands is told to who shows the printed code."""
    found = await store.public_document(tx, read_address(text) or _NOBODYS)
    if found is None:
        raise DocumentUriUnknown
    return found
