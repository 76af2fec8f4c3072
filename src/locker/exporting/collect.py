"""What goes into an export, file by file, front to back; an attempt goes on where another one died."""

import hashlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

import msgspec

from kit.db import Database
from locker.access.cursor import Cursors
from locker.documents.detail import detail
from locker.documents.read import read_again
from locker.documents.schema import HeldDocument
from locker.exporting import store
from locker.exporting.parts import Parts
from locker.exporting.schema import Checkpoint, Manifest, ManifestFile, Stage, Taken
from locker.exporting.zip_stream import ZipEntry, ZipFile, central, end
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
from locker.signing.ring import SigningKeys
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

    def __init__(
        self, db: Database, vault: Vault, keys: SigningKeys, parts: Parts, *, locker: str, taken: Taken
    ) -> None:
        self._db, self._vault, self._keys, self._parts = db, vault, keys, parts
        self._locker, self._taken, self._owner = locker, taken, taken.owner

    async def everything(self) -> None:
        """Raises BlobDamaged where something cannot be read: an export is whole or is not."""
        if not self._parts.offset:
            await self._put("README.txt", _README.format(locker=self._locker).encode())
            await self._stand()
        await self._each("documents", store.document_ids, self._document, then="uploads")
        await self._each("uploads", store.upload_ids, self._upload, then="shares")
        await self._once("shares", self._shares, then="openings")
        await self._once("openings", self._openings, then="history")
        await self._once("history", self._history, then="end")
        await self._end()

    async def _stand(self, **changed: Any) -> None:
        await self._parts.stand(msgspec.structs.replace(self._parts.checkpoint, offset=self._parts.offset, **changed))

    async def _each(
        self,
        stage: Stage,
        ids: Callable[..., Awaitable[list[str]]],
        collect: Callable[[str], Awaitable[None]],
        *,
        then: Stage,
    ) -> None:
        """One after the other, each counted under the name of its stage."""
        if self._parts.checkpoint.stage != stage:
            return
        while page := await ids(self._db, owner=self._owner, after=self._parts.checkpoint.after, limit=_BATCH):
            for id_ in page:
                await collect(id_)
                many = getattr(self._parts.checkpoint, stage) + 1
                await self._stand(after=id_, **{stage: many})
        await self._stand(stage=then, after="")

    async def _once(self, stage: Stage, collect: Callable[[], Awaitable[dict[str, int]]], *, then: Stage) -> None:
        if self._parts.checkpoint.stage == stage:
            await self._stand(stage=then, **await collect())

    async def _end(self) -> None:
        entries = self._parts.entries()
        manifest = await self._file("manifest.json", self._manifest(self._parts.checkpoint, entries))
        claims = {
            "iss": self._locker,
            "sub": self._owner,
            "iat": int(datetime.now(UTC).timestamp()),
            "export_id": self._taken.export_id,
            "manifest_sha256": manifest.sha256,
        }
        jws = await self._put("manifest.jws", self._keys.sign(claims, typ=MANIFEST_TYP).encode())
        keys = await self._put("keys.json", msgspec.json.encode(self._keys.jwks()))
        began, many = self._parts.offset, 0
        async for entry in entries():
            await self._parts.write(central(entry, moment=self._taken.asked_at))
            many += 1
        for entry in (manifest, jws, keys):
            await self._parts.write(central(entry, moment=self._taken.asked_at))
            many += 1
        await self._parts.write(end(many, central_length=self._parts.offset - began, central_at=began))

    async def _manifest(self, made: Checkpoint, entries: Callable[[], AsyncIterator[ZipEntry]]) -> AsyncIterator[bytes]:
        """Line by line: of a large locker it is too long to hold."""
        manifest = Manifest(
            export_id=self._taken.export_id,
            made_at=datetime.now(UTC),
            locker=self._locker,
            owner=self._owner,
            documents=made.documents,
            uploads=made.uploads,
            shares=made.shares,
        )
        before = msgspec.json.encode(manifest)[:-1] + b',"files":['
        async for entry in entries():
            file = ManifestFile(name=entry.name, sha256=entry.sha256, length=entry.length)
            yield before + b"\n" + msgspec.json.encode(file)
            before = b","
        yield b"\n]}\n"

    async def _document(self, document_id: str) -> None:
        document = await read_again(self._db, owner=self._owner, document_id=document_id)
        data = await find_data(self._db, owner=self._owner, document_id=document_id)
        folder = f"documents/{document_id}"
        reference = await describe(self._db, document, freshness_s=0)
        if reference is None or reference.copied_at is not None:
            # What its issuer keeps is not the citizen's to carry away, unless they keep a copy.
            await self._stored(f"{folder}/original.pdf", document.stored, document_id, document.version)
        await self._put(
            f"{folder}/document.json", _json(await detail(self._vault, document, data, reference=reference))
        )
        await self._put(f"{folder}/receipt.jws", self._receipt(document, data).encode())
        if data is not None:
            await self._data(folder, document, data)

    async def _data(self, folder: str, document: HeldDocument, data: SignedData) -> None:
        owner, document_id, version = self._owner, document.document_id, document.version
        stored = await open_key(
            self._vault, data, document.stored, owner=owner, document_id=document_id, version=version
        )
        name = f"{folder}/data.{extension_of(data.media_type)}"
        await self._stored(name, stored, data_name(document_id), version)
        signature = await open_signature(
            self._vault, data, document.stored, owner=owner, document_id=document_id, version=version
        )
        if signature is not None:
            await self._put(f"{folder}/data.signature.{'p7s' if signature[:1] == b'0' else 'jws'}", signature)

    async def _upload(self, upload_id: str) -> None:
        upload = await find_upload(self._db, owner=self._owner, upload_id=upload_id)
        folder = f"uploads/{upload_id}"
        await self._stored(f"{folder}/file.{EXTENSIONS[upload.media_type]}", upload.stored, upload_id, UPLOAD_VERSION)
        await self._put(f"{folder}/upload.json", _json(await upload_message(self._vault, upload)))

    async def _shares(self) -> dict[str, int]:
        many = 0

        async def lines() -> AsyncIterator[bytes]:
            nonlocal many
            async for share_id in self._share_ids():
                share = await find_share(self._db, owner=self._owner, share_id=share_id)
                many += 1
                yield msgspec.json.encode(share) + b"\n"

        await self._file("shares.jsonl", lines())
        return {"shares": many}

    async def _openings(self) -> dict[str, int]:
        async def lines() -> AsyncIterator[bytes]:
            async for share_id in self._share_ids():
                for twin in await sign_twins(
                    self._db, self._keys, locker_url=self._locker, owner=self._owner, share_id=share_id
                ):
                    yield msgspec.json.encode(twin) + b"\n"

        await self._file("openings.jsonl", lines())
        return {}

    async def _history(self) -> dict[str, int]:
        # Its cursors are for nobody else, so their key need not outlive the run.
        cursors = Cursors(secrets.token_bytes(32))
        lines = export_signed(
            self._db, cursors, self._keys, locker_url=self._locker, owner=self._owner, chosen=Chosen()
        )
        await self._file("history.jsonl", lines)
        return {}

    async def _share_ids(self) -> AsyncIterator[str]:
        after = ""
        while page := await store.share_ids(self._db, owner=self._owner, after=after, limit=_BATCH):
            for share_id in page:
                yield share_id
            after = page[-1]

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

    async def _stored(self, name: str, stored: Stored, document_id: str, version: int) -> None:
        frames = self._vault.read(stored, owner=self._owner, document_id=document_id, version=version)
        await self._write(name, frames, length=stored.length, sha256=stored.plaintext_sha256.hex())

    async def _put(self, name: str, content: bytes) -> ZipEntry:
        return await self._write(name, _at_once(content), length=len(content))

    async def _file(self, name: str, content: AsyncIterator[bytes]) -> ZipEntry:
        """As long as it comes."""
        return await self._write(name, content, length=None)

    async def _write(
        self, name: str, content: AsyncIterator[bytes], *, length: int | None, sha256: str | None = None
    ) -> ZipEntry:
        file = ZipFile(name, at=self._parts.offset, moment=self._taken.asked_at, length=length)
        # The vault's is of the very bytes that it gives.
        digest = None if sha256 else hashlib.sha256()
        await self._parts.write(file.head())
        async with aclosing(content):  # type: ignore[type-var]
            async for frame in content:
                file.count(frame)
                if digest:
                    digest.update(frame)
                await self._parts.write(frame)
        await self._parts.write(file.tail())
        entry = file.entry(digest.hexdigest() if digest else sha256 or "")
        self._parts.enter(entry)
        return entry


async def _at_once(content: bytes) -> AsyncIterator[bytes]:
    yield content


def _json(value: Any) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value)) + b"\n"
