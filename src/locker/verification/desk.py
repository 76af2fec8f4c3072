"""What verifying needs, whoever provides it: the locker with its database, or a folder of trust and nothing else."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from litestar.datastructures import State

from kit.audit import AuditEvent
from kit.csrf import Csrf
from kit.offload import Offload
from kit.pages import Pages
from kit.throttle import Limit
from locker.access.schema import Citizen
from locker.reports.seal_certificate import ReportSeal
from locker.signatures.judge import SignatureJudge
from locker.signatures.schema import Trust, Verdict
from locker.signing.ring import SigningKeys
from locker.verification.places import Places
from locker.verification.schema import Deposited


def wall_clock() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class Register(Protocol):
    """Who is trusted, what was deposited and by whom; and what is to be remembered of a verification."""

    async def trust(self) -> Trust: ...

    async def deposited(self, *, sha256: bytes, at: dt.datetime | None) -> Deposited | None:
        """As it stood ``at``, now where it is None. None: these bytes were never deposited."""

    async def archived(self, document_id: str, *, at: dt.datetime | None, now: dt.datetime) -> Verdict | None:
        """The passing verdict on the archived copy, whose beginning the original is; None where there is none."""

    async def sealed_by(self, *, certificate_sha256: bytes) -> dict[str, str] | None: ...

    async def append(self, event: AuditEvent) -> None: ...

    async def count(self, limit: Limit, key: str) -> None:
        """Raises TooManyRequests."""

    async def citizen(self, session: str | None) -> Citizen | None: ...


@dataclass(frozen=True, kw_only=True)
class VerificationDesk:
    register: Register
    judge: SignatureJudge
    signing: SigningKeys
    seal: ReportSeal
    paper: Offload
    """Draws and seals certificates of verification."""
    pages: Pages
    csrf: Csrf
    url: str
    """Our own base URL, the issuer of signed answers: no trailing slash."""
    issuer: str
    """Of the provider where people sign out; our own address where nobody signs in."""
    file_max_bytes: int
    receive_max_s: float
    per_address_per_minute: int
    places: Places
    clock: Callable[[], dt.datetime] = wall_clock
    folder: Path | None = None
    """Where a file stands while it is judged; None is the system's place for temporary files."""


async def provide_desk(state: State) -> VerificationDesk:
    desk = state.desk
    assert isinstance(desk, VerificationDesk)
    return desk
