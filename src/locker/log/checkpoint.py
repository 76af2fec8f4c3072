"""Checkpoints (C2SP tlog-checkpoint): signed notes with Ed25519, and the key under which anybody verifies them."""

import base64
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from kit.jose import SigningKey

NOTE_MAX_BYTES = 16_384
_ED25519 = b"\x01"
DASH = "\N{EM DASH} "


class NoteRefused(Exception):
    """This is no checkpoint of that log, or that key did not sign it. The message says which."""


class Checkpoint(msgspec.Struct, frozen=True):
    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


class LogKey:
    """What signs checkpoints. ``origin`` names the log and the key: the address of the log without its scheme."""

    def __init__(self, key: SigningKey, origin: str) -> None:
        if not isinstance(key.public, Ed25519PublicKey):
            raise TypeError("checkpoints are signed with Ed25519")
        self.origin = origin
        self._key = key
        self._material = _ED25519 + key.public.public_bytes(Encoding.Raw, PublicFormat.Raw)

    @classmethod
    def load_or_create(cls, keys_folder: Path, locker_url: str, *, origin: str | None = None) -> "LogKey":
        """``origin`` where the log began at another address than ``locker_url``."""
        named = origin or f"{locker_url.partition('://')[2]}/log"
        return cls(SigningKey.load_or_create(keys_folder / "log-Ed25519.pem", "EdDSA"), named)

    @property
    def verifier_key(self) -> str:
        """``name+hash+base64`` (C2SP signed-note)."""
        return f"{self.origin}+{self._id().hex()}+{base64.b64encode(self._material).decode()}"

    def sign(self, checkpoint: Checkpoint) -> str:
        text = checkpoint.text
        signature = base64.b64encode(self._id() + self._key.signature(text.encode())).decode()
        return f"{text}\n{DASH}{self.origin} {signature}\n"

    def _id(self) -> bytes:
        return _key_id(self.origin, self._material)


def read_checkpoint(note: str, verifier_key: str) -> Checkpoint:
    """The checkpoint in ``note``, if ``verifier_key`` signed it. Signatures of others are passed over.

    Raises NoteRefused.
    """
    name, key_id, material = parsed_key(verifier_key, _ED25519)
    text, blank, signatures = note.rpartition("\n\n")
    lines = text.split("\n")
    if not blank or not note.endswith("\n") or len(note) > NOTE_MAX_BYTES or len(lines) != 3:
        raise NoteRefused("this is no checkpoint")
    origin, size, root = lines
    try:
        checkpoint = Checkpoint(origin=origin, size=int(size), root=decoded(root))
    except ValueError:
        raise NoteRefused("this is no checkpoint") from None
    if checkpoint.text != f"{text}\n" or len(checkpoint.root) != 32 or checkpoint.size < 0:
        raise NoteRefused("this is no checkpoint")
    if origin != name:
        raise NoteRefused("this is a checkpoint of another log")
    _verify(f"{text}\n".encode(), signatures.split("\n"), name, key_id, material)
    return checkpoint


def _verify(text: bytes, lines: Sequence[str], name: str, key_id: bytes, material: bytes) -> None:
    for line in lines:
        parts = line.removeprefix(DASH).split(" ")
        if not line.startswith(DASH) or len(parts) != 2 or parts[0] != name:
            continue
        try:
            signature = decoded(parts[1])
        except ValueError:
            continue
        if signature[:4] != key_id:
            continue
        try:
            Ed25519PublicKey.from_public_bytes(material[1:]).verify(signature[4:], text)
        except InvalidSignature:
            raise NoteRefused("its signature is wrong") from None
        return
    raise NoteRefused("the log's key did not sign it")


def parsed_key(encoded: str, kind: bytes) -> tuple[str, bytes, bytes]:
    """Name, key id, and the signature type ``kind`` with the 32 bytes of the public key. Raises NoteRefused."""
    try:
        name, key_id, material = encoded.split("+", 2)
        parsed = name, bytes.fromhex(key_id), decoded(material)
    except ValueError:
        raise NoteRefused("this is no verifier key") from None
    if parsed[2][:1] != kind or len(parsed[2]) != 33 or parsed[1] != _key_id(name, parsed[2]):
        raise NoteRefused("this is no verifier key")
    return parsed


def _key_id(name: str, material: bytes) -> bytes:
    return sha256(name.encode() + b"\n" + material).digest()[:4]


def decoded(text: str) -> bytes:
    """Base64 in its one form: the bits that encode nothing are zero. Raises ValueError."""
    data = base64.b64decode(text, validate=True)
    if base64.b64encode(data).decode() != text:
        raise ValueError("base64")
    return data
