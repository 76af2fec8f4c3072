import datetime as dt
from typing import Any

import msgspec

from locker.signatures.schema import Verdict
from locker.vault import Stored


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """Where the data lies. Everything secret in it is sealed under its document's key and dies with that."""

    object_key: str
    key_sealed: bytes
    epoch: str
    sha256: bytes
    length: int
    ciphertext_sha256: bytes
    format: str
    media_type: str
    signature_sealed: bytes | None
    signature_sha256: bytes | None
    """None: the data holds its signature."""

    def stored(self, wrapped_key: bytes) -> Stored:
        return Stored(
            object_key=self.object_key,
            wrapped_key=wrapped_key,
            epoch=self.epoch,
            plaintext_sha256=self.sha256,
            ciphertext_sha256=self.ciphertext_sha256,
            length=self.length,
            format=self.format,
        )


class NewSignedData(Kept, frozen=True, kw_only=True):
    # What the judge said, by ``judged_data``.
    indication: str = ""
    level: str = ""
    signer: str = ""
    signed_at: dt.datetime | None = None
    verdict: dict[str, Any] = {}
    trust_version: str = ""


def judged_data(new: NewSignedData, verdict: Verdict) -> NewSignedData:
    seal = verdict.signatures[-1]
    return msgspec.structs.replace(
        new,
        indication=verdict.indication,
        level=seal.level,
        signer=seal.signer.display if seal.signer else "",
        signed_at=seal.proven_time or seal.claimed_time,
        verdict=msgspec.to_builtins(verdict),
        trust_version=verdict.trust_version,
    )


class SignedData(Kept, frozen=True, kw_only=True):
    indication: str
    level: str
    signer: str
    signed_at: dt.datetime | None

    @property
    def etag(self) -> str:
        return f'"{self.sha256.hex()}"'


class SignedDataMessage(msgspec.Struct, frozen=True, kw_only=True):
    """Data that was deposited with the document, as the API says it."""

    sha256: str
    length: int
    media_type: str
    signature_sha256: str | None
    """Of the signature beside it; null where the data holds its signature."""
    signed_by: str
    signed_at: dt.datetime | None
    indication: str
    level: str
