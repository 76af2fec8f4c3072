"""Evidence records (RFC 4998): one time stamp over many documents, renewed without them or, once, with them.

The tree's arithmetic and the syntax; whether a record can be believed is said by ``judge_evidence_record``.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec
from asn1crypto import algos, cms, core

RECORD_MAX_BYTES = 4 * 1024 * 1024
CHAINS_MAX = 32
TIME_STAMPS_MAX = 256

Group = tuple[bytes, ...]
"""Hash values that are hashed together (PartialHashtree)."""
ReducedHashtree = tuple[Group, ...]


class _PartialHashtree(core.SequenceOf):  # type: ignore[misc]
    _child_spec = core.OctetString


class _ReducedHashtree(core.SequenceOf):  # type: ignore[misc]
    _child_spec = _PartialHashtree


class _ArchiveTimeStamp(core.Sequence):  # type: ignore[misc]
    _fields = [  # noqa: RUF012
        ("digest_algorithm", algos.DigestAlgorithm, {"implicit": 0, "optional": True}),
        ("attributes", cms.CMSAttributes, {"implicit": 1, "optional": True}),
        ("reduced_hashtree", _ReducedHashtree, {"implicit": 2, "optional": True}),
        ("time_stamp", cms.ContentInfo),
    ]


class _ArchiveTimeStampChain(core.SequenceOf):  # type: ignore[misc]
    _child_spec = _ArchiveTimeStamp


class _ArchiveTimeStampSequence(core.SequenceOf):  # type: ignore[misc]
    _child_spec = _ArchiveTimeStampChain


class _DigestAlgorithms(core.SequenceOf):  # type: ignore[misc]
    _child_spec = algos.DigestAlgorithm


class _CryptoInfos(core.SequenceOf):  # type: ignore[misc]
    _child_spec = cms.CMSAttribute


class _EncryptionInfo(core.Sequence):  # type: ignore[misc]
    _fields = [("type", core.ObjectIdentifier), ("value", core.Any)]  # noqa: RUF012


class _EvidenceRecord(core.Sequence):  # type: ignore[misc]
    _fields = [  # noqa: RUF012
        ("version", core.Integer),
        ("digest_algorithms", _DigestAlgorithms),
        ("crypto_infos", _CryptoInfos, {"implicit": 0, "optional": True}),
        ("encryption_info", _EncryptionInfo, {"implicit": 1, "optional": True}),
        ("archive_time_stamp_sequence", _ArchiveTimeStampSequence),
    ]


class ArchiveTimeStamp(msgspec.Struct, frozen=True, kw_only=True):
    """``reduced_hashtree`` is empty where the token is over one value alone. ``token`` is a ContentInfo, DER."""

    digest_algorithm: str
    reduced_hashtree: ReducedHashtree = ()
    token: bytes
    der: bytes = b""
    """As it was read; what is hashed when a hash tree is renewed."""
    renewed: bytes = b""
    """What is hashed when it is renewed by a time stamp, where that is not the token (XML)."""
    before: bytes = b""
    """In XML, of the first of a later chain: all chains before it in their canonical form."""


Chain = tuple[ArchiveTimeStamp, ...]


class EvidenceRecord(msgspec.Struct, frozen=True):
    """Chains in the order of time; in a chain every archive time stamp has one digest algorithm.

    What is renewed here is ``asn1``; ``xml`` (RFC 6283) is read and judged.
    """

    chains: tuple[Chain, ...]
    syntax: Literal["asn1", "xml"] = "asn1"

    def dump(self) -> bytes:
        """DER, of ``asn1``."""
        assert self.syntax == "asn1"
        algorithms = dict.fromkeys(chain[0].digest_algorithm for chain in self.chains)
        return bytes(
            _EvidenceRecord(
                {
                    "version": 1,
                    "digest_algorithms": [{"algorithm": algorithm} for algorithm in algorithms],
                    "archive_time_stamp_sequence": _ArchiveTimeStampSequence.load(_sequence(self.chains)),
                }
            ).dump()
        )


class NoEvidenceRecord(ValueError):
    """Not one, or larger than is read."""


def read(der: bytes) -> EvidenceRecord:
    """Raises NoEvidenceRecord, whatever the bytes are."""
    if len(der) > RECORD_MAX_BYTES:
        raise NoEvidenceRecord("too large")
    try:
        record = _EvidenceRecord.load(der, strict=True)
        if record["version"].native != 1:
            raise NoEvidenceRecord("version")
        if record["encryption_info"].native is not None:
            raise NoEvidenceRecord("encrypted data objects are not supported")
        chains = tuple(tuple(_read(each) for each in chain) for chain in record["archive_time_stamp_sequence"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError) as fault:
        raise NoEvidenceRecord(str(fault)[:200]) from None
    return within_bounds(EvidenceRecord(chains))


def within_bounds(record: EvidenceRecord) -> EvidenceRecord:
    if not record.chains or not all(record.chains):
        raise NoEvidenceRecord("no archive time stamp")
    if len(record.chains) > CHAINS_MAX or sum(map(len, record.chains)) > TIME_STAMPS_MAX:
        raise NoEvidenceRecord("more archive time stamps than are read")
    return record


def _read(each: _ArchiveTimeStamp) -> ArchiveTimeStamp:
    token = each["time_stamp"].dump()
    stated = each["digest_algorithm"].native
    tree = each["reduced_hashtree"]
    groups = tuple(tuple(value.native for value in group) for group in tree) if tree.native is not None else ()
    return ArchiveTimeStamp(
        digest_algorithm=stated["algorithm"] if stated else imprint_of(token)[0],
        reduced_hashtree=groups,
        token=token,
        der=each.dump(),
    )


def imprint_of(token: bytes) -> tuple[str, bytes]:
    """Digest algorithm and value that a time-stamp token is over. Raises what parsing raises."""
    info = cms.ContentInfo.load(token)["content"]["encap_content_info"]["content"].parsed
    stated = info["message_imprint"]
    return stated["hash_algorithm"]["algorithm"].native, stated["hashed_message"].native


def archive_time_stamp(digest_algorithm: str, tree: ReducedHashtree, token: bytes) -> ArchiveTimeStamp:
    der = _ArchiveTimeStamp(
        {
            "digest_algorithm": {"algorithm": digest_algorithm},
            **({"reduced_hashtree": [list(group) for group in tree]} if tree else {}),
            "time_stamp": cms.ContentInfo.load(token),
        }
    ).dump()
    return ArchiveTimeStamp(digest_algorithm=digest_algorithm, reduced_hashtree=tree, token=token, der=der)


def digest(algorithm: str, *parts: bytes) -> bytes:
    return hashlib.new(algorithm, b"".join(parts)).digest()


def group_hash(algorithm: str, group: Sequence[bytes]) -> bytes:
    """§4.2.2: one value stands for itself, several are sorted, joined and hashed."""
    return group[0] if len(group) == 1 else digest(algorithm, *sorted(group))


def root_of(algorithm: str, tree: ReducedHashtree) -> bytes:
    """§4.3: from the first group upwards, each result joins the next group."""
    value = group_hash(algorithm, tree[0])
    for group in tree[1:]:
        value = digest(algorithm, *sorted([*group, value]))
    return value


def hash_tree(algorithm: str, leaves: Iterable[bytes]) -> tuple[bytes, dict[bytes, ReducedHashtree]]:
    """The root over ``leaves`` (§4.2.1, a binary tree) and the reduced tree of each: log2(n) values.

    A leaf that is there twice counts once. Of one leaf the tree is that leaf: the time stamp is over it alone.
    """
    unique = list(dict.fromkeys(leaves))
    above: dict[bytes, list[Group]] = {leaf: [] for leaf in unique}
    level: list[tuple[bytes, tuple[bytes, ...]]] = [(leaf, (leaf,)) for leaf in unique]
    while len(level) > 1:
        joined: list[tuple[bytes, tuple[bytes, ...]]] = []
        for (left, under_left), (right, under_right) in zip(level[::2], level[1::2], strict=False):
            for leaf in under_left:
                above[leaf].append((right,))
            for leaf in under_right:
                above[leaf].append((left,))
            joined.append((digest(algorithm, *sorted((left, right))), (*under_left, *under_right)))
        # One that has no neighbour goes up as it is.
        level = joined + level[len(joined) * 2 :]
    # A leaf and its first neighbour are one group (§4.2.2).
    trees = {leaf: ((leaf, *(groups[0] if groups else ())), *groups[1:]) for leaf, groups in above.items()}
    return level[0][0], trees


def time_stamp_to_renew(record: EvidenceRecord) -> tuple[str, bytes]:
    """§5.2, simple renewal: what a new token must be over, and by which algorithm: the last one's time stamp."""
    last = record.chains[-1][-1]
    return last.digest_algorithm, digest(last.digest_algorithm, last.token)


def renewed_by_time_stamp(record: EvidenceRecord, token: bytes) -> EvidenceRecord:
    algorithm = record.chains[-1][-1].digest_algorithm
    return EvidenceRecord((*record.chains[:-1], (*record.chains[-1], archive_time_stamp(algorithm, (), token))))


def leaf_to_renew(chains: Sequence[Chain], algorithm: str, data_digest: bytes) -> bytes:
    """§5.3, complex renewal: the leaf of a new tree, H(H(d) ‖ H(all chains so far))."""
    return digest(algorithm, data_digest, digest(algorithm, _sequence(chains)))


def renewed_by_hash_tree(record: EvidenceRecord, algorithm: str, tree: ReducedHashtree, token: bytes) -> EvidenceRecord:
    return EvidenceRecord((*record.chains, (archive_time_stamp(algorithm, tree, token),)))


def _sequence(chains: Sequence[Chain]) -> bytes:
    """ArchiveTimeStampSequence, DER, of archive time stamps as they were read."""
    return _tlv(*(_tlv(*(each.der for each in chain)) for chain in chains))


def _tlv(*parts: bytes) -> bytes:
    body = b"".join(parts)
    if len(body) < 0x80:
        return bytes((0x30, len(body))) + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8)
    return bytes((0x30, 0x80 | len(length))) + length + body
