"""Is this line of an access history in the log that its locker published? Answered without a network.

    curl -s https://LOCKER/log/key > log.key       # once; keep it, or compare it with somebody else's
    python verify_proof.py log.key line.tlog-proof

Needs Python 3.11 and the library cryptography. C2SP tlog-proof, tlog-checkpoint, signed-note; RFC 9162 §2.1.3.2.
"""

import base64
import hashlib
import json
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def unbase64(text: str) -> bytes:
    data = base64.b64decode(text, validate=True)
    if base64.b64encode(data).decode() != text:
        raise ValueError("not the one form of base64")
    return data


def verify(verifier_keys: str, proof: str) -> dict:
    """The event that ``proof`` proves, with its "index" and the "size" of the log. Raises ValueError."""
    head, _, note = proof.partition("\n\n")
    first, extra, index_line, *path = head.split("\n")
    if first != "c2sp.org/tlog-proof@v1" or not extra.startswith("extra ") or not index_line.startswith("index "):
        raise ValueError("not a proof of a line")
    opening, index, siblings = unbase64(extra[6:]), int(index_line[6:]), [unbase64(line) for line in path]
    size, root = checkpoint(verifier_keys, note)
    if str(index) != index_line[6:] or not 0 <= index < size or any(len(each) != 32 for each in siblings):
        raise ValueError("not a place in this log")
    # The leaf commits to 32 random bytes and the event: SHA-256(0x00 || SHA-256(nonce || event)).
    node, last, result = index, size - 1, sha256(b"\x00", sha256(opening))
    for sibling in siblings:
        if last == 0:
            raise ValueError("the proof is too long")
        if node & 1 or node == last:
            result = sha256(b"\x01", sibling, result)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            result = sha256(b"\x01", result, sibling)
        node, last = node >> 1, last >> 1
    if last != 0 or result != root:
        raise ValueError("this line is not in the log")
    return {**json.loads(opening[32:]), "index": index, "size": size}


def checkpoint(verifier_keys: str, note: str) -> tuple[int, bytes]:
    text, _, signatures = note.rpartition("\n\n")
    for name, key_id, material in (each.split("+", 2) for each in verifier_keys.split()):
        public = unbase64(material)
        if public[:1] != b"\x01" or sha256(f"{name}\n".encode(), public)[:4].hex() != key_id:
            raise ValueError("not an Ed25519 verifier key")
        for line in signatures.split("\n")[:-1]:
            dash, signer, signature = line.split(" ")
            if dash == "\N{EM DASH}" and signer == name and unbase64(signature)[:4].hex() == key_id:
                Ed25519PublicKey.from_public_bytes(public[1:]).verify(unbase64(signature)[4:], f"{text}\n".encode())
                origin, size, root = text.split("\n")
                if origin == name:
                    return int(size), unbase64(root)
    raise ValueError("that key signed no checkpoint here")


if __name__ == "__main__":
    try:
        with open(sys.argv[1], encoding="utf-8") as key_file, open(sys.argv[2], encoding="utf-8", newline="") as file:
            print("in the log:", json.dumps(verify(key_file.read(), file.read()), ensure_ascii=False, indent=2))
    except (ValueError, InvalidSignature) as reason:
        sys.exit(f"NOT PROVEN: {reason or 'the signature of the checkpoint is wrong'}")
