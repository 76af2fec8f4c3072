"""Checkpoints (C2SP tlog-checkpoint): signed notes with Ed25519, and the key under which anybody verifies them."""

import base64
from collections.abc import Mapping, Sequence
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


class NoteOfAnother(NoteRefused):
    """Well-formed, under another name than the log's: no accident makes such a note of one of ours."""


class Checkpoint(msgspec.Struct, frozen=True):
    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


KEY_FILE, BESIDE_FILE, FORMER_FILE = "log-Ed25519.pem", "log-Ed25519-beside.pem", "log-former.keys"


class LogKey:
    """What signs checkpoints. ``origin`` names the log and the key: the address of the log without its scheme."""

    def __init__(
        self, key: SigningKey, origin: str, *, beside: SigningKey | None = None, former: Sequence[str] = ()
    ) -> None:
        """``beside``: the key of before, which signs too for a while, so that who knows only that one goes on to
        verify. ``former``: verifier keys of before, the newest first."""
        self.origin = origin
        self._keys = [key] if beside is None or beside.public == key.public else [key, beside]
        own = [verifier_key_of(each, origin) for each in self._keys]
        self.verifier_key = own[0]
        """``name+hash+base64`` (C2SP signed-note), of the newest key."""
        self.verifier_keys = "\n".join(dict.fromkeys([*own, *former]))
        """All under which checkpoints of this log stand, a line each, the newest first."""

    @classmethod
    def load_or_create(cls, keys_folder: Path, locker_url: str, *, origin: str | None = None) -> "LogKey":
        """``origin`` where the log began at another address than ``locker_url``."""
        named = origin or f"{locker_url.partition('://')[2]}/log"
        beside, former = keys_folder / BESIDE_FILE, keys_folder / FORMER_FILE
        return cls(
            SigningKey.load_or_create(keys_folder / KEY_FILE, "EdDSA"),
            named,
            beside=SigningKey.load(beside, "EdDSA") if beside.exists() else None,
            former=former.read_text(encoding="utf-8").split() if former.exists() else (),
        )

    def sign(self, checkpoint: Checkpoint) -> str:
        text = checkpoint.text
        lines = []
        for key in self._keys:
            signature = _key_id(self.origin, _material(key)) + key.signature(text.encode())
            lines.append(f"{DASH}{self.origin} {base64.b64encode(signature).decode()}\n")
        return f"{text}\n{''.join(lines)}"


def verifier_key_of(key: SigningKey, origin: str) -> str:
    material = _material(key)
    return f"{origin}+{_key_id(origin, material).hex()}+{base64.b64encode(material).decode()}"


def _material(key: SigningKey) -> bytes:
    if not isinstance(key.public, Ed25519PublicKey):
        raise TypeError("checkpoints are signed with Ed25519")
    return _ED25519 + key.public.public_bytes(Encoding.Raw, PublicFormat.Raw)


def read_checkpoint(note: str, verifier_keys: str) -> Checkpoint:
    """The checkpoint in ``note``, if one of ``verifier_keys`` (a line each) signed it. Signatures of others are passed
    over.

    Raises NoteRefused; NoteOfAnother where it is the note of another log.
    """
    keys = [parsed_key(each, _ED25519) for each in verifier_keys.split("\n")]
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
    known = {key_id: material for name, key_id, material in keys if name == origin}
    if not known:
        theirs = any(line.startswith(f"{DASH}{origin} ") for line in signatures.split("\n"))
        raise (NoteOfAnother if theirs else NoteRefused)("this is a checkpoint of another log")
    _verify(f"{text}\n".encode(), signatures.split("\n"), origin, known)
    return checkpoint


def _verify(text: bytes, lines: Sequence[str], name: str, keys: Mapping[bytes, bytes]) -> None:
    for line in lines:
        parts = line.removeprefix(DASH).split(" ")
        if not line.startswith(DASH) or len(parts) != 2 or parts[0] != name:
            continue
        try:
            signature = decoded(parts[1])
        except ValueError:
            continue
        material = keys.get(signature[:4])
        if material is None:
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
