"""The history as JSON lines that are worth something elsewhere: each with its proof, all under one signature."""

from collections.abc import AsyncIterator
from hashlib import sha256
from time import time

import msgspec

from kit.db import Tx
from locker.access.cursor import Cursors
from locker.history.list_history import list_history
from locker.history.schema import Chosen, SignedEnd, SignedLine
from locker.log.prove import Prover
from locker.signing.ring import SigningKeys

_BATCH = 200
ROWS_MAX = 1_000_000


async def export_signed(
    tx: Tx, cursors: Cursors, keys: SigningKeys, *, locker_url: str, owner: str, chosen: Chosen
) -> AsyncIterator[bytes]:
    """One SignedLine a line, at last a SignedEnd: a compact JWS (ES256, ``typ: khizana-history+jwt``) that says how
    many lines there are and the SHA-256 of all bytes before it."""
    prover = await Prover.of(tx)
    digest, lines, after = sha256(), 0, None
    for _batch in range(ROWS_MAX // _BATCH):
        page = await list_history(tx, cursors, owner=owner, chosen=chosen, after=after, limit=_BATCH)
        proofs = await prover.proofs(owner=owner, audit_ids=[event.audit_id for event in page.events])
        written = b"".join(
            msgspec.json.encode(SignedLine(event=event, proof=proofs.get(event.audit_id))) + b"\n"
            for event in page.events
        )
        digest.update(written)
        lines += len(page.events)
        yield written
        after = page.next
        if after is None:
            break
    claims = {
        "iss": locker_url,
        "sub": owner,
        "iat": int(time()),
        "lines": lines,
        "whole": after is None,
        "sha256": digest.hexdigest(),
        "chosen": msgspec.to_builtins(chosen),
        "checkpoint": prover.checkpoint,
    }
    yield msgspec.json.encode(SignedEnd(signature=keys.sign(claims, typ="khizana-history+jwt"))) + b"\n"
