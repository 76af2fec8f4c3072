"""Walk every leaf: row against leaf, leaf against what was published, both against every signed checkpoint.

Nothing is held while it walks, rows may come in and owners be forgotten meanwhile. What is compared is read in one
statement, and what is published is read after the database that it follows.
"""

import asyncio
import sys
from bisect import bisect_right
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from operator import itemgetter
from uuid import UUID

from kit.db import Database, database_time
from locker.log import store
from locker.log.checkpoint import Checkpoint, NoteRefused, read_checkpoint
from locker.log.commit import canonical_event, commitment
from locker.log.merkle import EMPTY_ROOT, leaf_hash
from locker.log.objects import LogObjects
from locker.log.schema import Finding, FindingKind, Head, HeldLeaf, Verified
from locker.log.tiles import ENTRY_BYTES, HASH_BYTES, WIDTH, Edge, Tile, grown

_LEAVES_AT_ONCE = 4 * WIDTH
_ROWS_AT_ONCE = 5_000
FINDINGS_MAX = 1_000
_HOUR = timedelta(hours=1)
_CLOCKS_DIFFER = timedelta(minutes=5)
"""Of a database and the one that took its place."""

Progress = Callable[[str, int, int], None]


async def verify(
    db: Database,
    objects: LogObjects,
    *,
    verifier_keys: str,
    known: Sequence[tuple[str, str]] = (),
    progress: Progress = lambda what, done, of: None,
) -> Verified:
    """``known`` are checkpoints that somebody else kept, each with a name: they must be beginnings of this log.
    ``verifier_keys``, a line each: of the key of the log and of those before it."""
    return await _Walk(db, objects, verifier_keys, progress).run(known)


class _Walk:
    def __init__(self, db: Database, objects: LogObjects, verifier_keys: str, progress: Progress) -> None:
        self._db = db
        self._objects = objects
        self._keys = verifier_keys
        self._progress = progress
        self._findings: list[Finding] = []
        self._further = 0
        self._ours, self._public = Edge(0, {}), Edge(0, {})
        # By size: the names of checkpoints and the roots that they sign.
        self._signed: dict[int, list[tuple[str, bytes]]] = {}
        # Where our leaf is not the published one: ours, then theirs.
        self._differing: dict[int, tuple[bytes, bytes]] = {}
        # Rows that are not what their leaf says: the commitment that each row has now.
        self._altered: dict[int, tuple[HeldLeaf, bytes]] = {}
        self._ours_signed, self._public_signed = True, True
        # A size, and the time before which all of so many leaves were made.
        self._covered: list[tuple[int, datetime]] = []

    async def run(self, known: Sequence[tuple[str, str]]) -> Verified:
        head = await self._collect(known)
        for start in range(0, head.size, _LEAVES_AT_ONCE):
            await self._walk(start, min(start + _LEAVES_AT_ONCE, head.size), head.published)
            self._progress("leaves", min(start + _LEAVES_AT_ONCE, head.size), head.size)
        self._tell_altered()
        self._tell_differing()
        await self._compare_tiles(head.published)
        await self._find_unlogged(head.size)
        accounts = await store.accounts(self._db)
        if accounts.erased != accounts.forgotten:
            said = f"{accounts.erased} leaves cannot be opened and erasures account for {accounts.forgotten}"
            self._find("unaccounted", said)
        if accounts.lost != accounts.adopted:
            self._find("unaccounted", f"{accounts.lost} leaves have no row and {accounts.adopted} are accounted for")
        if strays := await store.strays(self._db):
            self._find("unaccounted", f"{strays} leaves stand behind the end of the tree")
        await self._find_gaps()
        return Verified(
            leaves=head.size,
            published=head.published,
            checkpoints=sum(map(len, self._signed.values())),
            erased=min(accounts.erased, accounts.forgotten),
            lost=accounts.lost,
            waiting=await store.count_waiting(self._db),
            findings=self._findings,
            further_findings=self._further,
        )

    async def _collect(self, known: Sequence[tuple[str, str]]) -> Head:
        """Every checkpoint that there is, by the size at which its root must be ours."""
        before = await store.head(self._db)
        # Published is what was committed before, and never less than what was published before.
        public, kept = await self._objects.read_checkpoint(), await store.kept_checkpoints(self._db)
        head = await store.head(self._db)
        newest = self._sign("the database's newest checkpoint", head.checkpoint, head.size)
        if (newest.size if newest else 0) != head.published:
            self._find("rolled-back", f"the newest checkpoint is not the one over {head.published} leaves")
        read = self._sign("the published checkpoint", public, head.size)
        if public is None and before.published:
            self._find("rolled-back", "the published checkpoint is gone")
        elif read is not None and read.size < before.published:
            said = f"the published checkpoint has {read.size} leaves, {before.published} were signed"
            self._find("rolled-back", said)
        for hour, note in kept:
            signed = self._sign(f"the checkpoint of {hour:%Y-%m-%dT%H}Z", note, head.size)
            if signed is not None:
                self._covered.append((signed.size, hour + _HOUR + _CLOCKS_DIFFER))
        self._covered.sort()
        self._covered.append((sys.maxsize, await database_time(self._db) + _CLOCKS_DIFFER))
        for name, note in known:
            self._sign(name, note, head.size)
        return head

    def _sign(self, name: str, note: str | None, size: int) -> Checkpoint | None:
        if note is None:
            return None
        try:
            read = read_checkpoint(note, self._keys)
        except NoteRefused as reason:
            self._find("refused", f"{name}: {reason}")
            return None
        if read.size > size:
            self._find("rolled-back", f"{name} has {read.size} leaves, the database {size}")
        elif read.size == 0:
            if read.root != EMPTY_ROOT:
                self._find("forked", f"{name} is of another tree")
        else:
            self._signed.setdefault(read.size, []).append((name, read.root))
        return read

    async def _walk(self, start: int, end: int, published: int) -> None:
        leaves = {leaf.leaf_index: leaf for leaf in await store.held_leaves(self._db, start=start, end=end)}
        public = await self._published(start, min(end, published))
        for index in range(start, end):
            leaf, theirs = leaves.get(index), public.get(index)
            if leaf is None:
                self._find("missing", "there is no such leaf any more", leaf_index=index)
            else:
                self._check_row(leaf)
            ours = leaf_hash(leaf.commitment) if leaf else theirs or bytes(HASH_BYTES)
            self._ours.append_hash(ours)
            self._public.append_hash(theirs or ours)
            if theirs is not None and ours != theirs and len(self._differing) < FINDINGS_MAX:
                self._differing[index] = ours, theirs
            for name, root in self._signed.get(index + 1, ()):
                self._check_root(name, root)
        await asyncio.sleep(0)

    def _check_root(self, name: str, root: bytes) -> None:
        ours, public = self._ours.root() == root, self._public.root() == root
        self._ours_signed &= ours
        self._public_signed &= public
        if not ours and not public:
            self._find("forked", f"{name}, over {self._ours.size} leaves, is of another tree")

    async def _published(self, start: int, end: int) -> dict[int, bytes]:
        """Leaf hashes by index, from the tiles of level 0 and from the entry bundles beside them."""
        hashes: dict[int, bytes] = {}
        for first in range(start, end, WIDTH):
            number, width = first // WIDTH, min(WIDTH, end - first)
            tile, bundle = await asyncio.gather(
                self._objects.read_tile(Tile(0, number, width)),
                self._objects.read_tile(Tile("entries", number, width)),
            )
            if tile is None or len(tile) != HASH_BYTES * width:
                self._find("damaged", f"the published tile {Tile(0, number, width).path} is not there")
                continue
            found = [tile[at : at + HASH_BYTES] for at in range(0, len(tile), HASH_BYTES)]
            hashes.update(enumerate(found, first))
            entries = bundle or b""
            parts = [entries[at : at + ENTRY_BYTES] for at in range(0, len(entries), ENTRY_BYTES)]
            if [leaf_hash(part[2:]) for part in parts if part[:2] == b"\x00\x20"] != found:
                self._find("damaged", f"the published bundle {Tile('entries', number, width).path} is not its tile's")
        return hashes

    def _check_row(self, leaf: HeldLeaf) -> None:
        row = leaf.row
        if leaf.audit_id is None:
            return
        if row is None:
            self._find_leaf("missing", "this row is gone, or its time was changed", leaf)
        elif row.at >= self._covered[bisect_right(self._covered, leaf.leaf_index, key=itemgetter(0))][1]:
            self._find_leaf("misdated", "this row says a later time than the checkpoint that covers it", leaf)
        elif leaf.nonce is None or leaf.number is None:
            if (row.action, row.owner, row.detail) != ("erased", None, {}):
                self._find_leaf("changed", "what opens its leaf is gone without an erasure", leaf)
        elif leaf.entry_index != leaf.leaf_index:
            self._find_leaf("reordered", f"this row was given place {leaf.entry_index}", leaf)
        else:
            now = commitment(leaf.nonce, canonical_event(row, number=leaf.number))
            if now != leaf.commitment:
                self._altered[leaf.leaf_index] = leaf, now

    def _tell_altered(self) -> None:
        """A row whose commitment stands at another altered place was moved, not rewritten."""
        places = {leaf.commitment: index for index, (leaf, _) in self._altered.items()}
        for leaf, now in self._altered.values():
            if now in places:
                self._find_leaf("reordered", f"this row is the one that was given place {places[now]}", leaf)
            else:
                self._find_leaf("changed", "this row is not what its leaf commits to", leaf)

    def _tell_differing(self) -> None:
        """Who is right where the database and what was published differ, the signed roots say."""
        theirs = {published: index for index, (_, published) in self._differing.items()}
        for index, (ours, _) in self._differing.items():
            if self._ours_signed and not self._public_signed:
                self._find("damaged", "the published leaf is another one than was signed", leaf_index=index)
            elif ours in theirs:
                self._find("reordered", f"the leaf here was published at {theirs[ours]}", leaf_index=index)
            else:
                self._find("changed", "the leaf here is not the one that was published", leaf_index=index)

    async def _compare_tiles(self, published: int) -> None:
        """The tiles above the leaves, in the database and published, with what the leaves give."""
        for (level, number), hashes in self._ours.changed.items():
            joined = b"".join(hashes)
            if not (await store.tile_hashes(self._db, level=level, tile=number)).startswith(joined):
                self._find("damaged", f"tile {level}/{number} of the database is not what its leaves give")
        for tile in grown(0, published):
            if tile.level in (0, "entries"):
                continue
            computed = self._public.changed[int(tile.level), tile.number]
            if await self._objects.read_tile(tile) != b"".join(computed[: tile.width]):
                self._find("damaged", f"the published tile {tile.path} is not what its leaves give")

    async def _find_unlogged(self, about: int) -> None:
        last: tuple[datetime, UUID] | None = None
        looked_at = 0
        while looked_at == 0 or last is not None:
            rows, last = await store.unlogged(self._db, after=last, limit=_ROWS_AT_ONCE)
            for at, audit_id in rows:
                self._find("unlogged", "this row is in neither the log nor its queue", audit_id=audit_id, at=at)
            looked_at += _ROWS_AT_ONCE
            self._progress("rows", min(looked_at, about), about)

    async def _find_gaps(self) -> None:
        gaps, last = await store.gaps(self._db, after=None, limit=_ROWS_AT_ONCE)
        while last is not None:
            for owner, many in gaps:
                self._find("unaccounted", f"{many} numbers of the lines of {owner or 'nobody'} stand nowhere")
            gaps, last = await store.gaps(self._db, after=last, limit=_ROWS_AT_ONCE)

    def _find_leaf(self, kind: FindingKind, said: str, leaf: HeldLeaf) -> None:
        self._find(kind, said, leaf_index=leaf.leaf_index, audit_id=leaf.audit_id, at=leaf.at)

    def _find(
        self,
        kind: FindingKind,
        said: str,
        *,
        leaf_index: int | None = None,
        audit_id: UUID | None = None,
        at: datetime | None = None,
    ) -> None:
        if len(self._findings) >= FINDINGS_MAX:
            self._further += 1
            return
        self._findings.append(Finding(kind=kind, said=said, leaf_index=leaf_index, audit_id=audit_id, at=at))
