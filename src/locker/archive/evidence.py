"""A document's evidence record, put together from what its record shares and its own ways up the hash trees."""

import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime

import msgspec

from kit.db import Tx
from locker.archive import store
from locker.archive.copies import read_copy
from locker.archive.schema import HeldCopy, Member, StoredTimeStamp
from locker.signatures.cms_signature import Imprint
from locker.signatures.evidence_record import EvidenceRecord, ReducedHashtree, archive_time_stamp
from locker.vault import Vault


def assembled(stamps: Sequence[StoredTimeStamp], trees: Mapping[int, bytes]) -> EvidenceRecord | None:
    """None for a document that left the record: it could not be read any more when the tree was renewed."""
    chains: dict[int, list[StoredTimeStamp]] = {}
    for stamp in stamps:
        chains.setdefault(stamp.chain, []).append(stamp)
    if not chains or not set(chains) <= set(trees):
        return None
    return EvidenceRecord(
        tuple(
            tuple(
                archive_time_stamp(
                    stamp.digest_algorithm, unpacked(trees[chain]) if stamp.position == 1 else (), stamp.token
                )
                for stamp in chains[chain]
            )
            for chain in sorted(chains)
        )
    )


async def evidence_record_of(tx: Tx, held: HeldCopy, at: datetime) -> tuple[EvidenceRecord, int] | None:
    """With how many bytes of the copy it covers, from its start. Of an earlier day, what was there on that day."""
    if held.record_id is None:
        return None
    stamps = [stamp for stamp in await store.time_stamps(tx, record_id=held.record_id) if stamp.time <= at]
    trees, covered_bytes = await store.trees(
        tx, record_id=held.record_id, owner=held.owner, document_id=held.document_id
    )
    record = assembled(stamps, trees)
    return (record, covered_bytes) if record else None


def packed(tree: ReducedHashtree) -> bytes:
    return msgspec.msgpack.encode(tree)


def unpacked(tree: bytes) -> ReducedHashtree:
    return msgspec.msgpack.decode(tree, type=ReducedHashtree)


async def digests_of(frames: AsyncIterator[bytes], algorithms: Sequence[str]) -> dict[str, bytes]:
    running = {algorithm: hashlib.new(algorithm) for algorithm in algorithms}
    async for frame in frames:
        for each in running.values():
            each.update(frame)
    return {algorithm: each.digest() for algorithm, each in running.items()}


async def covered_digests(vault: Vault, member: Member, algorithms: Sequence[str]) -> dict[str, bytes]:
    """Of the bytes that the record covers, read from the vault unless the row knows the digest."""
    if tuple(algorithms) == ("sha256",) and member.covered_bytes == member.copy.length:
        return {"sha256": member.copy.plaintext_sha256}
    frames = read_copy(
        vault,
        member.copy,
        owner=member.owner,
        document_id=member.document_id,
        generation=member.generation,
        end=member.covered_bytes,
    )
    return await digests_of(frames, algorithms)


def imprint(digests: Mapping[str, bytes]) -> Imprint:
    return digests.get
