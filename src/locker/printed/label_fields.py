from kit.db import Tx
from locker.catalogue.find_entitled import find_entitled
from locker.catalogue.refusals import TypeNotAllowed
from locker.documents.fields import rows
from locker.documents.schema import FieldRow
from locker.printed.schema import Claims


async def label_fields(tx: Tx, claims: Claims) -> list[FieldRow]:
    """What a code says, with the labels of the type as it is today; by its own names where there is no such type."""
    try:
        found = await find_entitled(tx, administration=claims.administration, type_=claims.type)
    except TypeNotAllowed:
        return rows(claims.fields, {})
    return rows(claims.fields, found.fields)
