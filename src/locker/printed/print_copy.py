import io
from datetime import UTC, datetime
from typing import Any

import segno
from msgspec import UNSET

from kit.audit import Audit
from kit.db import Database
from kit.ids import new_public_id
from kit.jose import SigningKey
from kit.throttle import Limit
from locker.documents.fields import open_fields
from locker.documents.read import Reader, read
from locker.documents.refusals import DocumentUnknown
from locker.printed import store
from locker.printed.claims import to_labels
from locker.printed.cose import sign1, text_of
from locker.printed.refusals import FieldUnknown, PrintedTooLarge
from locker.printed.schema import Claims, Printed, PrintedCopy, PrintRequest
from locker.vault import Vault

_ID_BITS = 65
PRINTS = Limit("print", attempts=60, per_s=60)
"""For each holder, whoever prints for them (K-22)."""
CLAIMS_MAX_BYTES = 1_000
"""QR version 27: 125 modules, 63 mm at half a millimetre each."""


async def print_copy(
    db: Database,
    audit: Audit,
    vault: Vault,
    key: SigningKey,
    reader: Reader,
    document_id: str,
    request: PrintRequest,
    *,
    locker_url: str,
) -> PrintedCopy:
    """What goes on a printed copy of one's document: a code with signed claims, and a short address.

    The holder's history says that it was printed. Raises DocumentUnknown, FieldUnknown, PrintedTooLarge.
    """
    document = await read(db, audit, reader, document_id, action="document.printed")
    fields = await open_fields(vault, document)
    if request.fields is not UNSET:
        if not set(request.fields) <= set(fields):
            raise FieldUnknown
        fields = {name: fields[name] for name in request.fields}
    fields = _without_floats(fields)
    printed_id = new_public_id(_ID_BITS)
    claims = Claims(
        issuer=locker_url,
        printed_id=printed_id,
        printed_at=datetime.now(UTC).replace(microsecond=0),
        administration=document.administration,
        type=document.type,
        valid_until=document.valid_until,
        sha256=document.sha256.hex(),
        fields=fields,
    )
    message = sign1(to_labels(claims), key)
    if len(message) > CLAIMS_MAX_BYTES:
        raise PrintedTooLarge(CLAIMS_MAX_BYTES)

    if not await store.add(db, owner=reader.owner, printed_id=printed_id, document_id=document.document_id):
        raise DocumentUnknown
    address = f"{locker_url}/p#{text_of(message)}"
    # Low error correction: half the paper is lost before a code of this size is, and each step of it adds modules.
    code = segno.make(address, error="l", micro=False, boost_error=False)
    svg = io.BytesIO()
    code.save(svg, kind="svg", border=4, light="#fff", xmldecl=False, unit="mm", scale=0.5)
    assert isinstance(code.version, int)
    printed = Printed(
        printed_id=printed_id,
        address=address,
        status_address=f"{locker_url}/p/{printed_id}",
        claims_bytes=len(message),
        qr_version=code.version,
        qr_modules=len(code.matrix),
        qr_svg=svg.getvalue().decode(),
    )
    return PrintedCopy(printed=printed, claims=claims, document=document)


def _without_floats(value: Any) -> Any:
    """Floating-point numbers as text: a small verifier need not know three encodings of them."""
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, dict):
        return {name: _without_floats(member) for name, member in value.items()}
    return [_without_floats(member) for member in value] if isinstance(value, list) else value
