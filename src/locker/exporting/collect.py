"""What goes into an export, as files: the large ones as promises to read them later, the rest through the spool."""

import hashlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from kit.db import Database
from kit.jose import LocalKeySet
from locker.access.cursor import Cursors
from locker.documents.detail import detail
from locker.documents.read import read_again
from locker.documents.schema import HeldDocument
from locker.exporting import store
from locker.exporting.schema import Manifest, ManifestFile, Taken
from locker.exporting.spool import Spool, SpooledFile
from locker.exporting.zip_stream import ZipEntry
from locker.history.export_signed import export_signed
from locker.history.schema import Chosen
from locker.receipts.sign_receipt import sign_receipt
from locker.references.describe import describe
from locker.shares.list_openings import sign_twins
from locker.shares.list_shares import find_share
from locker.signed_data.find import find as find_data
from locker.signed_data.media_types import extension_of
from locker.signed_data.schema import SignedData
from locker.signed_data.vault_names import data_name, open_key, open_signature
from locker.uploads.read import find as find_upload
from locker.uploads.read import message as upload_message
from locker.uploads.schema import EXTENSIONS
from locker.uploads.schema import VERSION as UPLOAD_VERSION
from locker.vault import Stored, Vault

_BATCH = 200
MANIFEST_TYP = "khizana-export+jwt"
_README = """What Khizana keeps of you, as it was when this copy was made.

manifest.json  the name, length and SHA-256 of each file
manifest.jws   a JWS (RFC 7515, ES256) of Khizana over the SHA-256 of manifest.json
keys.json      the keys with which it verifies; compare them with {locker}/.well-known/jwks.json
documents/     each with its original bytes, what is known of it, and the receipt of its deposit
uploads/       files of your own
shares.jsonl   the links that you made: to whom, for what, how often opened
openings.jsonl your receipt of each opening of a link, the twin of the one that whoever opened it has
history.jsonl  every access, each with its proof of inclusion in the log; the last line is signed

To check it, with jq and sha256sum:

    jq -r '.files[] | .sha256 + "  " + .name' manifest.json | sha256sum -c

and manifest.jws with any JWS tool, or with the program verify_export.sh of Khizana, which needs openssl alone.
"""


class Collecting:
    """One export on its way."""

    def __init__(self, db: Database, vault: Vault, keys: LocalKeySet, spool: Spool, *, locker: str, owner: str) -> None:
        self._db, self._vault, self._keys, self._spool = db, vault, keys, spool
        self._locker, self._owner = locker, owner
        self.entries: list[ZipEntry] = []
        self._files: list[ManifestFile] = []

    async def everything(self, taken: Taken) -> list[ZipEntry]:
        """Raises BlobDamaged where something cannot be read: an export is whole or is not."""
        self._put("README.txt", _README.format(locker=self._locker).encode())
        documents = await self._each(store.document_ids, self._document)
        uploads = await self._each(store.upload_ids, self._upload)
        shares = await self._shares()
        await self._openings()
        await self._history()
        manifest = msgspec.json.format(
            msgspec.json.encode(
                Manifest(
                    export_id=taken.export_id,
                    made_at=datetime.now(UTC),
                    locker=self._locker,
                    owner=self._owner,
                    documents=documents,
                    uploads=uploads,
                    shares=shares,
                    files=self._files,
                )
            )
        )
        claims = {
            "iss": self._locker,
            "sub": self._owner,
            "iat": int(datetime.now(UTC).timestamp()),
            "export_id": taken.export_id,
            "manifest_sha256": hashlib.sha256(manifest).hexdigest(),
        }
        listed = self.entries
        self.entries = []
        self._put("manifest.json", manifest)
        self._put("manifest.jws", self._keys.sign(claims, typ=MANIFEST_TYP).encode())
        self._put("keys.json", msgspec.json.encode(self._keys.jwks()))
        self._spool.seal()
        return [*self.entries, *listed]

    async def _each(self, ids: Callable[..., Awaitable[list[str]]], collect: Callable[[str], Awaitable[None]]) -> int:
        after, many = "", 0
        while page := await ids(self._db, owner=self._owner, after=after, limit=_BATCH):
            for id_ in page:
                await collect(id_)
            after, many = page[-1], many + len(page)
        return many

    async def _document(self, document_id: str) -> None:
        document = await read_again(self._db, owner=self._owner, document_id=document_id)
        data = await find_data(self._db, owner=self._owner, document_id=document_id)
        folder = f"documents/{document_id}"
        reference = await describe(self._db, document, freshness_s=0)
        if reference is None or reference.copied_at is not None:
            # What its issuer keeps is not the citizen's to carry away, unless they keep a copy.
            self._promise(f"{folder}/original.pdf", document.stored, document_id, document.version)
        self._put(f"{folder}/document.json", _json(await detail(self._vault, document, data, reference=reference)))
        self._put(f"{folder}/receipt.jws", self._receipt(document, data).encode())
        if data is not None:
            await self._data(folder, document, data)

    async def _data(self, folder: str, document: HeldDocument, data: SignedData) -> None:
        owner, document_id, version = self._owner, document.document_id, document.version
        stored = await open_key(
            self._vault, data, document.stored, owner=owner, document_id=document_id, version=version
        )
        name = f"{folder}/data.{extension_of(data.media_type)}"
        self._promise(name, stored, data_name(document_id), version)
        signature = await open_signature(
            self._vault, data, document.stored, owner=owner, document_id=document_id, version=version
        )
        if signature is not None:
            self._put(f"{folder}/data.signature.{'p7s' if signature[:1] == b'0' else 'jws'}", signature)

    async def _upload(self, upload_id: str) -> None:
        upload = await find_upload(self._db, owner=self._owner, upload_id=upload_id)
        folder = f"uploads/{upload_id}"
        self._promise(f"{folder}/file.{EXTENSIONS[upload.media_type]}", upload.stored, upload_id, UPLOAD_VERSION)
        self._put(f"{folder}/upload.json", _json(await upload_message(self._vault, upload)))

    async def _shares(self) -> int:
        file = SpooledFile(self._spool, "shares.jsonl")

        async def write(share_id: str) -> None:
            share = await find_share(self._db, owner=self._owner, share_id=share_id)
            file.write(msgspec.json.encode(share) + b"\n")

        many = await self._each(store.share_ids, write)
        self._add(*file.entry())
        return many

    async def _openings(self) -> None:
        file = SpooledFile(self._spool, "openings.jsonl")

        async def write(share_id: str) -> None:
            for twin in await sign_twins(
                self._db, self._keys, locker_url=self._locker, owner=self._owner, share_id=share_id
            ):
                file.write(msgspec.json.encode(twin) + b"\n")

        await self._each(store.share_ids, write)
        self._add(*file.entry())

    async def _history(self) -> None:
        file = SpooledFile(self._spool, "history.jsonl")
        # Its cursors are for nobody else, so their key need not outlive the run.
        cursors = Cursors(secrets.token_bytes(32))
        async for lines in export_signed(
            self._db, cursors, self._keys, locker_url=self._locker, owner=self._owner, chosen=Chosen()
        ):
            file.write(lines)
        self._add(*file.entry())

    def _receipt(self, document: HeldDocument, data: SignedData | None) -> str:
        signature_sha256 = data.signature_sha256 if data else None
        return sign_receipt(
            self._keys,
            locker_url=self._locker,
            document_uri=document.uri,
            sha256=document.sha256,
            administration=document.administration,
            type_=document.type,
            at=document.deposited_at,
            data_sha256=data.sha256.hex() if data else None,
            data_signature_sha256=signature_sha256.hex() if signature_sha256 else None,
        )

    def _promise(self, name: str, stored: Stored, document_id: str, version: int) -> None:
        def read() -> AsyncIterator[bytes]:
            return self._vault.read(stored, owner=self._owner, document_id=document_id, version=version)

        self._add(ZipEntry(name=name, length=stored.length, source=read), stored.plaintext_sha256.hex())

    def _put(self, name: str, content: bytes) -> None:
        file = SpooledFile(self._spool, name)
        file.write(content)
        self._add(*file.entry())

    def _add(self, entry: ZipEntry, sha256: str) -> None:
        self.entries.append(entry)
        self._files.append(ManifestFile(name=entry.name, sha256=sha256, length=entry.length))


def _json(value: Any) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value)) + b"\n"
