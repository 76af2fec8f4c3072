from functools import partial
from pathlib import Path

from locker.archive import store
from locker.archive.copies import read_copy, save
from locker.archive.desk import ArchiveDesk
from locker.archive.evidence import evidence_record_of
from locker.archive.refusals import NotArchived
from locker.archive.schema import Exported


async def export(desk: ArchiveDesk, document_id: str, folder: Path) -> Exported:
    """What somebody else needs to verify a document without us, as files. Raises NotArchived."""
    held = await store.held(desk.db, document_id=document_id)
    if held is None or held.copy is None:
        raise NotArchived
    reading = partial(
        read_copy, desk.vault, held.copy, owner=held.owner, document_id=document_id, generation=held.generation
    )
    copy = folder / f"{document_id}.pdf"
    await save(reading(), copy)
    found = await evidence_record_of(desk.db, held, desk.clock())
    if found is None:
        return Exported(document_id=document_id, copy=str(copy), evidence_record=None, covered=None)
    record, covered_bytes = found
    record_file = folder / f"{document_id}.ers"
    record_file.write_bytes(record.dump())
    covered = copy
    if covered_bytes != held.copy.length:
        covered = folder / f"{document_id}.covered.pdf"
        await save(reading(end=covered_bytes), covered)
    return Exported(document_id=document_id, copy=str(copy), evidence_record=str(record_file), covered=str(covered))
