"""Another key for the log. The one of before goes on to sign beside it, until everybody has the new one."""

from pathlib import Path

from kit.jose import SigningKey
from kit.whole_file import replace
from locker.log.checkpoint import BESIDE_FILE, FORMER_FILE, KEY_FILE, LogKey, verifier_key_of
from locker.log.refusals import KeyBesideStands, NoKeyBeside


def rotate_key(keys_folder: Path, locker_url: str, *, origin: str | None = None) -> LogKey:
    """Killed anywhere, the key of before still signs or both do: say it again. A server or worker takes the new one
    when it starts. Raises KeyBesideStands."""
    current = LogKey.load_or_create(keys_folder, locker_url, origin=origin)
    key, beside = keys_folder / KEY_FILE, keys_folder / BESIDE_FILE
    if beside.exists() and beside.read_bytes() != key.read_bytes():
        raise KeyBesideStands
    # Known as a former one before it is one: no checkpoint of ours is ever a stranger's.
    replace(keys_folder / FORMER_FILE, current.verifier_keys.encode() + b"\n")
    replace(beside, key.read_bytes())
    replace(key, SigningKey.generate("EdDSA").pem())
    return LogKey.load_or_create(keys_folder, locker_url, origin=origin)


def retire_key(keys_folder: Path, locker_url: str, *, origin: str | None = None) -> str:
    """Destroy the key that signs beside the newest one; its verifier key, under which what it signed goes on to verify.
    Raises NoKeyBeside."""
    beside = keys_folder / BESIDE_FILE
    if not beside.exists():
        raise NoKeyBeside
    key = LogKey.load_or_create(keys_folder, locker_url, origin=origin)
    retired = verifier_key_of(SigningKey.load(beside, "EdDSA"), key.origin)
    beside.unlink()
    return retired
