"""The Merkle tree of RFC 6962 §2.1 (the same in RFC 9162 §2.1), SHA-256. Pure: whoever calls brings the hashes."""

from collections.abc import Sequence
from hashlib import sha256

EMPTY_ROOT = sha256(b"").digest()
Range = tuple[int, int]
"""Leaves from the first to before the second."""


def leaf_hash(entry: bytes) -> bytes:
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def root_of(hashes: Sequence[bytes]) -> bytes:
    """MTH of neighbouring nodes of one level, of which the first begins a subtree."""
    level = list(hashes)
    if not level:
        return EMPTY_ROOT
    while len(level) > 1:
        # Where one is left over it moves up as it is: the tree of RFC 6962, which splits at the largest power of two.
        above = [node_hash(level[at], level[at + 1]) for at in range(0, len(level) - 1, 2)]
        level = [*above, level[-1]] if len(level) % 2 else above
    return level[0]


def _split(size: int) -> int:
    """The largest power of two smaller than ``size``."""
    return 1 << (size - 1).bit_length() - 1


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """The subtrees whose hashes are PATH(index, D[size]) (§2.1.1), from the leaf's sibling to the root's child."""
    low, high, ranges = 0, size, list[Range]()
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            ranges.append((middle, high))
            high = middle
        else:
            ranges.append((low, middle))
            low = middle
    return ranges[::-1]


def consistency_ranges(old: int, size: int) -> list[Range]:
    """The subtrees whose hashes are PROOF(old, D[size]) (§2.1.2)."""
    if not 0 < old < size:
        return []
    low, high, ranges, whole = 0, size, list[Range](), True
    while old != high:
        middle = low + _split(high - low)
        if old <= middle:
            ranges.append((middle, high))
            high = middle
        else:
            ranges.append((low, middle))
            low, whole = middle, False
    return ranges[::-1] if whole else [(low, high), *ranges[::-1]]


def perfect(low: int, high: int) -> list[Range]:
    """``low`` to ``high`` as subtrees of 2^k leaves, largest first, where ``low`` begins a subtree that holds them."""
    parts = []
    while low < high:
        width = 1 << (high - low).bit_length() - 1
        parts.append((low, low + width))
        low += width
    return parts


def fold(perfect_roots: Sequence[bytes]) -> bytes:
    """The hash over subtrees as ``perfect`` lists them."""
    *rest, folded = perfect_roots
    for left in reversed(rest):
        folded = node_hash(left, folded)
    return folded


def root_by_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes]) -> bytes | None:
    """The root that ``proof`` leads to (RFC 9162 §2.1.3.2); None where it is no proof for this place and size."""
    if not 0 <= index < size:
        return None
    node, last, result = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return None
        if node & 1 or node == last:
            result = node_hash(sibling, result)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            result = node_hash(result, sibling)
        node, last = node >> 1, last >> 1
    return result if last == 0 else None


def is_consistent(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """RFC 9162 §2.1.4.2. Every tree begins with the empty one."""
    if not 0 <= old <= new:
        return False
    if old == new:
        return not proof and old_root == new_root
    if old == 0:
        return not proof and old_root == EMPTY_ROOT
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    if not path:
        return False
    node, last = old - 1, new - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old_way = new_way = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            old_way, new_way = node_hash(sibling, old_way), node_hash(sibling, new_way)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new_way = node_hash(new_way, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and old_way == old_root and new_way == new_root
