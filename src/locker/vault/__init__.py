"""The vault: what you hold, sealed. It knows owners, document ids and bytes; neither states, consents nor HTTP.

    from locker.vault import Vault, Stored, FileFrames, new_object_key
    from locker.vault.blobs import S3BlobStore
    from locker.vault.masters import masters_of

Start (``wiring.py``)::

    blobs = await S3BlobStore.connect(
        endpoint="http://127.0.0.1:9000", access_key=…, secret_key=…, bucket=…, region="us-east-1",
        fsync_root=None | Path(<the folder that the embedded server keeps the bucket in>),
    )
    vault = Vault(db, masters_of(settings), blobs)
    await vault.check()          # master key fits the database; raises MasterKeyWrong
    capabilities = await blobs.probe()   # what the engine lacks; `.usable`, `.lacking`
    …
    await vault.close()

Deposit (steps 2 to 5 of the deposit table)::

    object_key = new_object_key()                       # 2. record it as an intent, commit
    stored = await vault.put(                           # 3. encrypt, PUT  4. read back, compare
        owner=sub, document_id=document_id, version=1, object_key=object_key,
        frames=FileFrames(path), length=path.stat().st_size,
    )                                                   # frames: any AsyncIterable[bytes]; Stored has all for the row
    async with db.transaction() as tx:                  # 5. document row, audit …
        await vault.hold_owner_key(tx, owner=sub)       #    the key is still there, and stays until this commits

``put`` raises BlobStoreUnavailable (503), Erased (410), BlobDamaged (502: the read-back differed), LengthMismatch
(a fault: ``frames`` were not ``length`` bytes). After any of them the intent stands and the sweeper removes the object.
``owner``, ``document_id`` (text), ``version`` and the format are bound to the document key, id and version to each
segment: reading needs the same values, and a row that was edited to point elsewhere opens nothing.

The fields beside it, under the same key (any ``part`` name; at most 1 MiB)::

    fields_sealed = await vault.seal_part(stored, owner=…, document_id=…, version=…, part="fields", plaintext=…)
    plaintext = await vault.open_part(stored, owner=…, document_id=…, version=…, part="fields", sealed=fields_sealed)

Read::

    reading = await vault.open(stored, owner=sub, document_id=…, version=…, start=0, end=None)   # end is exclusive
    async for frame in reading: …                       # verified plaintext, 256 KiB a frame, flat memory
    await reading.aclose()                              # when the client leaves early

``open`` has fetched and verified the first frame, so BlobDamaged / BlobMissing (502), BlobStoreUnavailable (503) and
Erased (410) come before a byte is sent. A later frame may still raise: break the connection then, never end the body
cleanly. ``vault.read(…)`` with the same arguments is the plain async generator (the first frame raises);
``await vault.read_all(…, length_max=…)`` gives small ones as bytes. Damage is logged at CRITICAL by ``locker.vault``
(``integrity alarm``, identifiers only).

Delete: set ``wrapped_key`` NULL in the row (now it is noise), later ``await vault.delete(object_key)`` (idempotent).
Erase a person: ``await vault.destroy_owner_key(tx, owner=sub)``, objects later. Other nodes may hold the unwrapped key
for at most five minutes, so the caller's rows must refuse first.

Sweeper and reconcile: ``vault.blobs.length(key)``, ``.delete(key)``, ``.list(prefix, after=…, limit=…)`` with prefixes
``blobs.PREFIXES`` ("00/" … "ff/"); ``is_object_key(name)`` tells objects from the
``.keep`` files of the embedded engine.
Months: ``rewrap_all`` moves every owner to this month's epoch and destroys the epochs that are over (docs/keys.md).
"""

from locker.vault.blobs import is_object_key, new_object_key
from locker.vault.refusals import BlobDamaged, BlobMissing, BlobStoreUnavailable, Erased
from locker.vault.schema import Stored
from locker.vault.vault import FileFrames, LengthMismatch, Vault

__all__ = [
    "BlobDamaged",
    "BlobMissing",
    "BlobStoreUnavailable",
    "Erased",
    "FileFrames",
    "LengthMismatch",
    "Stored",
    "Vault",
    "is_object_key",
    "new_object_key",
]
