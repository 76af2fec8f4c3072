"""What was answered, and so must be true: kept in memory, beside the product and without a look at its tables."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any, Literal

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
    """By the law: its owner's erasure leaves it."""

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
    ended_at: float | None = None
    """When it was answered that it is over."""
    opened: list[dict[str, Any]] = field(default_factory=list)
    maybe: int = 0
    """Openings whose answer was lost: each was spent, or was not."""

    @property
    def left(self) -> int:
        """Openings that there are for certain."""
        return self.openings_max - len(self.opened) - self.maybe


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

    @property
    def living(self) -> list[Citizen]:
        return [one for one in self.citizens if not one.leaving]

    def owner_of(self, held: Document | Share | Upload) -> Citizen:
        return next(one for one in self.citizens if one.sub == held.owner)

    def stays(self, held: Document | Share | Upload) -> bool:
        return not self.owner_of(held).leaving

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
