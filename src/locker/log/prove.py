"""Proofs that verify without us (C2SP tlog-proof; RFC 6962 §2.1.1, §2.1.2)."""

import base64
from collections.abc import Sequence
from uuid import UUID

from kit.db import Tx
from locker.log import store
from locker.log.commit import canonical_event, commitment, opening
from locker.log.merkle import consistency_ranges, inclusion_ranges
from locker.log.read_tiles import TreeReader
from locker.log.refusals import LineUnknown, NoSuchTree, NotLoggedYet
from locker.log.schema import Consistency, Entry, ProvenLeaf


async def prove(tx: Tx, *, owner: str, audit_id: str) -> str:
    """One line of a citizen's history as a ``.tlog-proof``. Its extra data is what the leaf commits to: 32 random bytes
    and the event, so that its holder computes the leaf with two SHA-256.

    Raises LineUnknown, NotLoggedYet.
    """
    proof = await (await Prover.of(tx)).proof(await _entry(tx, owner=owner, audit_id=audit_id))
    if proof is None:
        raise NotLoggedYet
    return proof


async def prove_leaf(tx: Tx, *, owner: str, audit_id: str) -> ProvenLeaf:
    """The same for somebody who may not read the event: a proof whose extra data is the commitment, 32 bytes that say
    nothing. The leaf is SHA-256(0x00 || commitment). Raises as ``prove`` does.
    """
    entry = await _entry(tx, owner=owner, audit_id=audit_id)
    proof = await (await Prover.of(tx)).proof(entry, opened=False)
    if proof is None:
        raise NotLoggedYet
    return ProvenLeaf(leaf_index=entry.leaf_index, commitment=_base64(_commitment(entry)), proof=proof)


async def _entry(tx: Tx, *, owner: str, audit_id: str) -> Entry:
    try:
        wanted = UUID(audit_id)
    except ValueError:
        raise LineUnknown from None
    # UUID() reads more spellings than the one that we write, white space for a zero among them.
    if str(wanted) != audit_id:
        raise LineUnknown
    entries = await store.entries(tx, owner=owner, audit_ids=[wanted])
    if not entries:
        raise NotLoggedYet if await store.is_waiting(tx, owner=owner, audit_id=wanted) else LineUnknown
    return entries[0]


class Prover:
    """Several proofs to one checkpoint, for which each tile is read once."""

    def __init__(self, tx: Tx, *, size: int, checkpoint: str) -> None:
        self._tx = tx
        self._reader = TreeReader(tx)
        self._size = size
        self.checkpoint = checkpoint
        """Empty where there is none yet: nothing is proven."""

    @classmethod
    async def of(cls, tx: Tx) -> "Prover":
        head = await store.head(tx)
        return cls(tx, size=head.published, checkpoint=head.checkpoint or "")

    async def proofs(self, *, owner: str, audit_ids: Sequence[str]) -> dict[str, str]:
        """By ``audit_id``, of those lines that are under the checkpoint."""
        entries = await store.entries(self._tx, owner=owner, audit_ids=[UUID(each) for each in audit_ids])
        made = {str(entry.row.audit_id): await self.proof(entry) for entry in entries}
        return {audit_id: proof for audit_id, proof in made.items() if proof is not None}

    async def proof(self, entry: Entry, *, opened: bool = True) -> str | None:
        """None: it is not under the checkpoint yet. ``opened``: with the event, else with the commitment to it."""
        if entry.leaf_index >= self._size:
            return None
        event = canonical_event(entry.row, number=entry.number)
        extra = opening(entry.nonce, event) if opened else commitment(entry.nonce, event)
        path = [_base64(await self._reader.subtree(span)) for span in inclusion_ranges(entry.leaf_index, self._size)]
        lines = ["c2sp.org/tlog-proof@v1", f"extra {_base64(extra)}", f"index {entry.leaf_index}", *path]
        return "\n".join(lines) + "\n\n" + self.checkpoint


async def prove_consistency(tx: Tx, *, old: int, new: int) -> Consistency:
    """Between any two sizes that a checkpoint may have had. Raises NoSuchTree."""
    head = await store.head(tx)
    if not 0 <= old <= new <= head.published:
        raise NoSuchTree
    reader = TreeReader(tx)
    hashes = [_base64(await reader.subtree(span)) for span in consistency_ranges(old, new)]
    return Consistency(old=old, new=new, hashes=hashes)


def _commitment(entry: Entry) -> bytes:
    return commitment(entry.nonce, canonical_event(entry.row, number=entry.number))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
