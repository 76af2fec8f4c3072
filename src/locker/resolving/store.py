import msgspec

from kit.db import Tx
from locker.resolving.address import Address
from locker.resolving.schema import PublicDocument


async def public_document(tx: Tx, address: Address) -> PublicDocument | None:
    """None also where the document's key, or its owner's, was destroyed: there is nothing left that has an address."""
    row = await tx.fetchrow(
        """
        SELECT d.uri, d.type, t.names AS type_names, d.administration, a.names AS administration_names
          FROM locker.document_uri u
          JOIN locker.document d ON d.owner = u.owner AND d.document_id = u.document_id
          JOIN locker.citizen_key k ON k.owner = d.owner AND k.wrapped_key IS NOT NULL
          JOIN locker.document_type t ON t.type = d.type
          JOIN locker.administration a ON a.administration = d.administration
         WHERE u.document_id = $1 AND d.wrapped_key IS NOT NULL
           AND ($2::text IS NULL OR (d.administration = $2 AND d.type = $3))""",
        address.document_id,
        address.administration,
        address.type,
    )
    return None if row is None else msgspec.convert(dict(row), PublicDocument)
