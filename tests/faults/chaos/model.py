"""What was answered, and so must be true: kept in memory, beside the product and without a look at its tables."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from kit.ids import new_id

Standing = Literal["valid", "suspended", "revoked", "superseded"]


@dataclass(eq=False)
class Changing:
    """Who changes something, or asked for a change whose answer was lost, holds it until the answer is known."""

    busy: bool = False
    changes: int = 0

    def begin(self) -> None:
        assert not self.busy
        self.busy = True
        self.changes += 1

    def end(self) -> None:
        self.busy = False


@dataclass(eq=False)
class Document(Changing):
    document_id: str = ""
    owner: str = ""
    administration: str = ""
    type: str = ""
    pdf: bytes = b""
    sha256: str = ""
    data_sha256: str | None = None
    standing: Standing = "valid"
    reason: str | None = None
    since: float = 0.0
    """When its standing was answered."""
    told: list[str] = field(default_factory=list)
    """Events of its webhook."""
    by_reference: bool = False
    """Its issuer keeps it."""
    copied: bool = False
    """The citizen keeps a copy of what the issuer keeps."""
    twins: list["Document"] = field(default_factory=list)
    """Of a deposit with several owners: all of them, this one too."""
    receipt: str = ""
    held: bool = False
    """By the law: neither its owner's erasure nor the end of its retention takes it."""
    over: bool = False
    """Past the retention of its type: it goes when somebody comes, unless it is held."""
    gone_at: float | None = None
    """When it was known that it went."""
    replaces: "Document | None" = None

    @property
    def whole(self) -> list["Document"]:
        return self.twins or [self]

    def stands(self, standing: Standing, reason: str | None = None) -> None:
        for one in self.whole:
            one.standing, one.reason, one.since = standing, reason, time.monotonic()
            one.told.append({"valid": "resumed"}.get(standing, standing))


@dataclass(eq=False)
class Together:
    """Documents that change at once."""

    documents: list[Document]

    def begin(self) -> None:
        for one in self.documents:
            one.begin()

    def end(self) -> None:
        for one in self.documents:
            one.end()


@dataclass(eq=False)
class Connection(Changing):
    """A citizen's with the bank, by a sign-in there."""

    owner: str = ""
    citizen_id: UUID = field(default_factory=new_id)
    consent_id: UUID = field(default_factory=new_id)
    ended_at: float | None = None
    """When it was answered that the citizen ended it."""
    details: list["Detail"] = field(default_factory=list)

    @property
    def stands(self) -> bool:
        return not self.busy and self.ended_at is None


@dataclass(eq=False)
class Detail(Changing):
    """What was allowed there: once, or until a day."""

    connection: Connection = field(default_factory=Connection)
    family_id: UUID = field(default_factory=new_id)
    """The one answer of the citizen."""
    said: dict[str, Any] = field(default_factory=dict)
    share: "Share | None" = None
    """The last one that was made of it."""

    @property
    def once(self) -> bool:
        return "once" in self.said


@dataclass(eq=False)
class Seal(Changing):
    """That the locker made."""

    key: str = ""
    seal_id: str = ""
    wanted: str = ""
    files: dict[int, str] = field(default_factory=dict)
    """Version → SHA-256, of those that were answered."""
    phase: int = 0
    """In which it was answered."""


@dataclass(eq=False)
class Share(Changing):
    share_id: str = ""
    owner: str = ""
    path: str = ""
    documents: list[Document] = field(default_factory=list)
    uploads: list["Upload"] = field(default_factory=list)
    openings_max: int = 1
    until: float = 0.0
    """Seconds since 1970."""
    pin: str | None = None
    client_id: str | None = None
    fields: bool = False
    view_only: bool = True
    code: str | None = None
    """12 digits, of a share face to face."""
    connection: Connection | None = None
    """While that stands, it opens; its documents are known once it was opened."""
    ended_at: float | None = None
    """When it was answered that it is over."""
    opened: list[dict[str, Any]] = field(default_factory=list)
    maybe: int = 0
    """Openings whose answer was lost: each was spent, or was not."""

    @property
    def left(self) -> int:
        """Openings that there are for certain."""
        return self.openings_max - len(self.opened) - self.maybe

    @property
    def over_since(self) -> float | None:
        """Of its own, or of the connection."""
        ends = [one for one in (self.ended_at, self.connection and self.connection.ended_at) if one is not None]
        return min(ends, default=None)


@dataclass(eq=False)
class Upload(Changing):
    upload_id: str = ""
    owner: str = ""
    sha256: str = ""
    length: int = 0
    state: Literal["held", "binned", "gone"] = "held"
    since: float = 0.0
    infected: bool = False


@dataclass
class Citizen:
    uid: str
    sub: str
    """The locker's name for them."""
    family_id: bytes
    name: str
    exports: int = 0
    shares_maybe: int = 0
    """Shares whose answer was lost."""
    ending_all: bool = False
    asked_export: set[str] = field(default_factory=set)
    """Documents that must be in the export that was asked for last."""
    passing: bool = False
    """Lives here for a while and may be erased."""
    leaving: bool = False
    """Somebody asked for the erasure: nothing is promised to them any more."""
    erased_at: float | None = None
    """When it was answered that nothing of them is left, but what the law holds."""
    account_too: bool = False
    """Their account at the provider was erased as well."""
    connections: list[Connection] = field(default_factory=list)
    """With the bank, the last one last."""


@dataclass
class Model:
    citizens: list[Citizen] = field(default_factory=list)
    """Also those who left."""
    to_be_told: list[tuple[Share, str, str]] = field(default_factory=list)
    """Type and identifier of what a relying party must be told of what was shared with it alone."""
    ahead: list[tuple[str, str]] = field(default_factory=list)
    """Administration and its name for a deposit that was revoked before it is here."""
    documents: dict[str, Document] = field(default_factory=dict)
    keys: dict[tuple[str, str], str] = field(default_factory=dict)
    """client_id and Idempotency-Key of a deposit → document_id."""
    refused: set[str] = field(default_factory=set)
    """Keys of deposits that were refused for what they are."""
    shares: list[Share] = field(default_factory=list)
    uploads: dict[str, Upload] = field(default_factory=dict)
    seen: dict[str, str] = field(default_factory=dict)
    """document_id → in whose list it stood, before its deposit was answered here."""
    seals: list[Seal] = field(default_factory=list)
    exports: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    """Whose, the signature, and what it must say, of those that were taken and not verified yet."""
    phase: int = 0

    @property
    def living(self) -> list[Citizen]:
        return [one for one in self.citizens if not one.leaving]

    def owner_of(self, held: Document | Share | Upload) -> Citizen:
        return next(one for one in self.citizens if one.sub == held.owner)

    def stays(self, held: Document | Share | Upload) -> bool:
        return not self.owner_of(held).leaving

    def kept(self, document: Document) -> bool:
        """Its owner stays, and its type's retention has not taken it."""
        return self.stays(document) and document.gone_at is None

    def of(self, citizen: Citizen) -> list[Document]:
        return [one for one in self.documents.values() if one.owner == citizen.sub]

    def shares_of(self, citizen: Citizen) -> list[Share]:
        return [one for one in self.shares if one.owner == citizen.sub]

    def uploads_of(self, citizen: Citizen) -> list[Upload]:
        return [one for one in self.uploads.values() if one.owner == citizen.sub]


@dataclass
class Figures:
    seed: int = 0
    seconds: float = 0.0
    phases: int = 0
    operations: int = 0
    unanswered: int = 0
    repeated: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    faults: dict[str, int] = field(default_factory=dict)
    kills: int = 0
    children_killed: int = 0
    documents: int = 0
    shares: int = 0
    openings: int = 0
    uploads: int = 0
    messages: int = 0
    messages_refused: int = 0
    """Attempts that a receiver did not take."""
    references: int = 0
    erased: int = 0
    """Citizens of whom nothing is left."""
    held: int = 0
    """Erasures that the law held back in part."""
    exports: int = 0
    """That were taken and verified."""
    waited: int = 0
    """Deposits that waited for the scanner."""
    codes: int = 0
    """Openings by 12 digits."""
    authorized: int = 0
    """Shares that were taken of what was allowed at sign-in."""
    disconnected: int = 0
    retired: int = 0
    """Documents past the retention of their type."""
    retained: int = 0
    """Checks of documents that the law held beyond it."""
    seals: int = 0
    raised: int = 0
    """Seals that got the rest later."""
    chained: int = 0
    """Versions that replace another."""
    orphans_swept: int = 0
    leaves: int = 0
    losses: int = 0
    recovered_s: list[float] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    """What must hold and did not, each once."""
    log: str = ""
    """Where each operation stands with its answer."""

    def count(self, outcome: str) -> None:
        self.statuses[outcome] = self.statuses.get(outcome, 0) + 1


@dataclass
class Progress:
    """Operations that are over, for whoever waits for some more."""

    done: int = 0
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    def step(self) -> None:
        self.done += 1
        moved, self.moved = self.moved, asyncio.Event()
        moved.set()

    async def more(self, count: int) -> None:
        wanted = self.done + count
        while self.done < wanted:
            await self.moved.wait()
