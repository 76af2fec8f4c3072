import msgspec

from kit.db import Tx
from locker.documents.read_store import STANDING
from locker.printed.schema import PrintedRow, Status


async def add(tx: Tx, *, owner: str, printed_id: str, document_id: str) -> bool:
    """False: the document is gone, or is going with all that its owner has."""
    done = await tx.execute(
        """
        INSERT INTO locker.printed (owner, printed_id, document_id)
        SELECT owner, $2, document_id FROM locker.document WHERE owner = $1 AND document_id = $3 FOR KEY SHARE""",
        owner,
        printed_id,
        document_id,
    )
    return done.endswith(" 1")


async def find(tx: Tx, *, printed_id: str) -> PrintedRow | None:
    row = await tx.fetchrow(
        f"""
        SELECT p.owner, p.document_id, p.printed_id, p.printed_at, now() AS checked_at, {STANDING} AS standing,
               d.type, t.names AS type_names, d.administration, a.names AS administration_names,
               (a.state = 'active' AND EXISTS (SELECT 1 FROM locker.entitlement e
                                                WHERE e.administration = d.administration AND e.type = d.type))
                   AS entitled
          FROM locker.printed p
          JOIN locker.document d ON d.owner = p.owner AND d.document_id = p.document_id
          JOIN locker.document_type t ON t.type = d.type
          JOIN locker.administration a ON a.administration = d.administration
         WHERE p.printed_id = $1""",
        printed_id,
    )
    if row is None:
        return None
    found = dict(row)
    return PrintedRow(
        owner=found.pop("owner"), document_id=found.pop("document_id"), status=msgspec.convert(found, Status)
    )
