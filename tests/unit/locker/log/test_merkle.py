"""RFC 6962 and RFC 9162: the reference vectors of Certificate Transparency, and trees of any size."""

import secrets
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locker.log.merkle import (
    EMPTY_ROOT,
    consistency_ranges,
    inclusion_ranges,
    is_consistent,
    leaf_hash,
    node_hash,
    root_by_inclusion,
    root_of,
)
from locker.log.tiles import Edge, Tile, edge_widths, grown, tile_at

# The leaves, roots and proofs of the reference implementation's merkle_tree_test.cc (google/certificate-transparency).
LEAVES = [
    bytes.fromhex(each)
    for each in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
INCLUSION = {
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
}
CONSISTENCY = {
    (1, 8): INCLUSION[0, 8],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
HASHES = [leaf_hash(entry) for entry in LEAVES]


def mth(hashes: list[bytes]) -> bytes:
    """RFC 6962 §2.1 as it is written, for comparison."""
    if not hashes:
        return sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return node_hash(mth(hashes[:split]), mth(hashes[split:]))


def spoiled(hash_: bytes) -> bytes:
    at = secrets.randbelow(32)
    return hash_[:at] + bytes([hash_[at] ^ 1 << secrets.randbelow(8)]) + hash_[at + 1 :]


@pytest.mark.parametrize("size", range(9))
def test_the_root_is_that_of_the_reference_rfc6962_2_1(size: int) -> None:
    edge = Edge(0, {})
    for entry in LEAVES[:size]:
        edge.append(entry)
    assert root_of(HASHES[:size]).hex() == edge.root().hex() == ROOTS[size]


@pytest.mark.parametrize("place", INCLUSION)
def test_an_inclusion_proof_is_that_of_the_reference_rfc6962_2_1_1(place: tuple[int, int]) -> None:
    index, size = place
    proof = [mth(HASHES[low:high]) for low, high in inclusion_ranges(index, size)]
    assert [each.hex() for each in proof] == INCLUSION[place]
    assert root_by_inclusion(index, size, HASHES[index], proof) == bytes.fromhex(ROOTS[size])


@pytest.mark.parametrize("sizes", CONSISTENCY)
def test_a_consistency_proof_is_that_of_the_reference_rfc6962_2_1_2(sizes: tuple[int, int]) -> None:
    old, new = sizes
    proof = [mth(HASHES[low:high]) for low, high in consistency_ranges(old, new)]
    assert [each.hex() for each in proof] == CONSISTENCY[sizes]
    assert is_consistent(old, new, bytes.fromhex(ROOTS[old]), bytes.fromhex(ROOTS[new]), proof)


@given(st.integers(1, 700), st.data())
def test_each_leaf_of_a_tree_is_proven_and_nothing_else(size: int, data: st.DataObject) -> None:
    hashes = [leaf_hash(number.to_bytes(2)) for number in range(size)]
    index = data.draw(st.integers(0, size - 1))
    root = mth(hashes)
    proof = [mth(hashes[low:high]) for low, high in inclusion_ranges(index, size)]
    assert root_by_inclusion(index, size, hashes[index], proof) == root
    assert root_by_inclusion(index, size, spoiled(hashes[index]), proof) != root
    assert root_by_inclusion(index, size, hashes[index], [*proof, hashes[0]]) != root
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        assert (
            root_by_inclusion(index, size, hashes[index], [*proof[:at], spoiled(proof[at]), *proof[at + 1 :]]) != root
        )
        assert root_by_inclusion(index, size, hashes[index], proof[:-1]) != root
    other = data.draw(st.integers(0, size - 1))
    if other != index:
        assert root_by_inclusion(other, size, hashes[index], proof) != root


@given(st.integers(1, 700), st.data())
def test_each_beginning_of_a_tree_is_consistent_with_it_and_nothing_else(size: int, data: st.DataObject) -> None:
    hashes = [leaf_hash(number.to_bytes(2)) for number in range(size)]
    old = data.draw(st.integers(0, size))
    roots = mth(hashes[:old]), mth(hashes)
    proof = [mth(hashes[low:high]) for low, high in consistency_ranges(old, size)]
    assert is_consistent(old, size, *roots, proof)
    assert not is_consistent(old, size, spoiled(roots[0]), roots[1], proof)
    assert not is_consistent(old, size, *roots, [*proof, hashes[0]])
    if old:
        assert not is_consistent(old, size, roots[0], spoiled(roots[1]), proof)
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        assert not is_consistent(old, size, *roots, [*proof[:at], spoiled(proof[at]), *proof[at + 1 :]])


@given(st.integers(0, 1_000))
def test_a_tree_that_grows_leaf_by_leaf_has_the_right_root_and_edge(size: int) -> None:
    edge = Edge(0, {})
    for number in range(size):
        edge.append(number.to_bytes(2))
    assert edge.root() == mth([leaf_hash(number.to_bytes(2)) for number in range(size)])
    assert (edge.root() == EMPTY_ROOT) == (size == 0)


def test_a_tree_of_70_000_has_the_tiles_of_the_specification() -> None:
    """C2SP tlog-tiles, "Partial Tiles"."""
    tiles = [tile for tile in grown(0, 70_000) if tile.level != "entries"]
    widths = {level: [tile.width for tile in tiles if tile.level == level] for level in (0, 1, 2)}
    assert widths == {0: [256] * 273 + [112], 1: [256, 17], 2: [1]}
    assert edge_widths(70_000) == {0: 112, 1: 17, 2: 1}
    assert [tile.width for tile in grown(255, 256)] == [256, 256, 1]
    assert list(grown(70_000, 70_000)) == []


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0), "0/000"),
        (Tile(1, 1_234_067), "1/x001/x234/067"),
        (Tile("entries", 999, 17), "entries/999.p/17"),
        (Tile(0, 1_000, 255), "0/x001/000.p/255"),
    ],
)
def test_a_tile_has_one_name(tile: Tile, path: str) -> None:
    assert tile.path == path
    assert tile_at(path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "",
        "0/0",
        "00/000",
        "8/000",
        "0/x000/001",
        "0/000.p/0",
        "0/000.p/256",
        "0/000.p/01",
        "0/../000",
        "0/000/",
        "0/٠٠٠",
    ],
)
def test_what_is_no_name_of_a_tile_leads_nowhere(path: str) -> None:
    assert tile_at(path) is None
