"""A PDF with room for a signature or a time stamp, and the digest of what it will cover.

Here the document is parsed, and nothing here knows a key: whoever holds one gets a digest and gives a container for
``fill``. A document of somebody else is parsed in a limited worker process.
"""

import hashlib
from collections.abc import Generator, Iterable
from datetime import datetime
from io import BytesIO
from typing import Any

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import pdf_name
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import MDPPerm, SigFieldSpec, SigSeedSubFilter
from pyhanko.sign.signers.cms_embedder import (
    PdfCMSEmbedder,
    SigAppearanceSetup,
    SigIOSetup,
    SigMDPSetup,
    SigObjSetup,
)
from pyhanko.sign.signers.pdf_byterange import DocumentTimestamp, SignatureObject

from locker.signatures.document import READING_LIMITS
from locker.signatures.seal_request import Room, Stamp, ValidationData
from locker.signatures.sealer import DIGEST, SealingRefused
from locker.signatures.stamp import StampStyle

_LISTS = ("/Certs", "/CRLs", "/OCSPs")
_VALIDATION_DATA_MAX = 64


def prepare_signature(
    pdf: bytes,
    *,
    reserved_bytes: int,
    at: datetime,
    field_name: str = "Seal",
    reason: str | None = None,
    location: str | None = None,
    docmdp_locked: bool = True,
    stamp: Stamp | None = None,
) -> tuple[bytes, Room]:
    """``reserved_bytes`` is the most that the container may take. ``docmdp_locked`` as in ``seal.seal``."""
    writer = _writer(pdf)
    if docmdp_locked and any(True for _ in writer.prev.embedded_signatures):
        raise SealingRefused("A document that is already signed cannot be locked by a second seal.")
    placeholder = SignatureObject(
        timestamp=at,
        subfilter=SigSeedSubFilter.PADES,
        reason=reason,
        location=location,
        bytes_reserved=2 * reserved_bytes,
    )
    spec = SigFieldSpec(
        field_name,
        on_page=stamp.page if stamp else 0,
        box=stamp.box if stamp else None,
        readable_field_name=stamp.text if stamp else None,
    )
    return _with_room(
        writer,
        PdfCMSEmbedder(spec).write_cms(field_name, writer),
        SigObjSetup(
            sig_placeholder=placeholder,
            mdp_setup=SigMDPSetup(md_algorithm=DIGEST, certify=True, docmdp_perms=MDPPerm.NO_CHANGES)
            if docmdp_locked
            else None,
            appearance_setup=_appearance(stamp, at) if stamp else None,
        ),
    )


def _appearance(stamp: Stamp, at: datetime) -> SigAppearanceSetup:
    style: Any = StampStyle(stamp)
    return SigAppearanceSetup(style=style, timestamp=at, name=None)


def prepare_time_stamp(
    pdf: bytes, *, reserved_bytes: int, field_name: str, digest_algorithm: str = DIGEST
) -> tuple[bytes, Room]:
    """Room for a document time stamp over all that is there (EN 319 142-1 §5.4.3)."""
    writer = _writer(pdf)
    embedding = PdfCMSEmbedder(SigFieldSpec(field_name)).write_cms(field_name, writer)
    placeholder = DocumentTimestamp(bytes_reserved=2 * reserved_bytes)  # type: ignore[no-untyped-call]
    return _with_room(writer, embedding, SigObjSetup(sig_placeholder=placeholder), digest_algorithm)


def add_validation_data(pdf: bytes, data: ValidationData) -> bytes:
    """``pdf`` with one more revision whose DSS dictionary also has ``data``; as it is if all of it was there."""
    writer = _writer(pdf)
    root = writer.root
    store: Any = _value(root, "/DSS")
    fresh = not isinstance(store, generic.DictionaryObject)
    if fresh:
        store = generic.DictionaryObject(  # type: ignore[no-untyped-call]
            {pdf_name("/Type"): pdf_name("/DSS")}
        )
    added = False
    for key, given in zip(_LISTS, (data.certificates, data.crls, data.ocsps), strict=True):
        listed = _value(store, key)
        references = generic.ArrayObject(listed.raw_get(i) for i in range(len(listed))) if listed else []
        known = {bytes(reference.get_object().data) for reference in references}
        new = [der for der in dict.fromkeys(given) if der not in known][:_VALIDATION_DATA_MAX]
        if not new:
            continue
        added = True
        references = [*references, *(writer.add_object(generic.StreamObject(stream_data=der)) for der in new)]
        store[pdf_name(key)] = generic.ArrayObject(references)
    if not added:
        return pdf
    if fresh:
        root[pdf_name("/DSS")] = writer.add_object(store)
        writer.update_root()
    else:
        writer.update_container(store)
    output = BytesIO()
    writer.write(output)
    return output.getvalue()


def new_field_name(pdf: bytes, prefix: str) -> str:
    """``prefix`` with the first number that no field of the document has."""
    names = _field_names(_writer(pdf).prev.root)
    return next(name for number in range(1, 10_000) if (name := f"{prefix}{number}") not in names)


def _writer(pdf: bytes) -> Any:
    return IncrementalPdfFileWriter(BytesIO(pdf), decode_limits=READING_LIMITS)


def _with_room(
    writer: Any, embedding: Generator[Any, Any, Any], setup: SigObjSetup, digest_algorithm: str = DIGEST
) -> tuple[bytes, Room]:
    next(embedding)
    embedding.send(setup)
    output = BytesIO()
    prepared, _ = embedding.send(SigIOSetup(md_algorithm=digest_algorithm, output=output))
    embedding.close()
    return output.getvalue(), Room(
        start=prepared.reserved_region_start, end=prepared.reserved_region_end, digest=prepared.document_digest
    )


def _field_names(root: Any) -> set[str]:
    form = _value(root, "/AcroForm")
    fields: Iterable[Any] = _value(form, "/Fields") or () if form else ()
    return {str(_value(_resolved(field), "/T")) for field in fields}


def _value(dictionary: Any, key: str) -> Any:
    return _resolved(dictionary.get(key))


def _resolved(value: Any) -> Any:
    return value.get_object() if isinstance(value, generic.IndirectObject) else value  # type: ignore[no-untyped-call]


def sha256_around(pdf: bytes, room: Room) -> bytes:
    """What a reader will compute: for tests, and for who does not trust ``room.digest``."""
    view = memoryview(pdf)
    digest = hashlib.sha256(view[: room.start])
    digest.update(view[room.end :])
    return digest.digest()
