import asyncio
from datetime import UTC, date, datetime, timedelta

import msgspec
from msgspec import UNSET

from kit.db import Database
from locker.administrations.schema import Depositor
from locker.catalogue.find_entitled import find_entitled
from locker.catalogue.schema import DocumentType
from locker.deposits import receive
from locker.deposits.desk import DepositDesk
from locker.deposits.judge import judge, judge_data
from locker.deposits.refusals import DepositInvalid, ReplacesUnknown
from locker.deposits.resolve_subject import Owner
from locker.deposits.schema import DepositRequest
from locker.documents.find_predecessors import find_predecessors
from locker.documents.record_schema import Predecessor
from locker.scanning.refusals import Infected, ScannerAway
from locker.signatures.schema import Verdict


class Examined(msgspec.Struct, frozen=True, kw_only=True):
    """A deposit of which all is known that decides, and nothing is stored yet."""

    request: DepositRequest
    type_: DocumentType
    valid_until: date | None
    verdict: Verdict
    data_verdict: Verdict | None
    owners: list[Owner]
    """Several get a document each."""
    predecessors: list[Predecessor | None]
    """Of each owner, the version that is replaced."""
    awaits_scan: bool = False
    """No scanner could look at it yet."""
    url: str | None = None
    """Where its issuer keeps it, for a deposit by reference."""

    @property
    def passed(self) -> bool:
        """False: it may pass later."""
        return not self.awaits_scan and self.verdict.passed and (self.data_verdict is None or self.data_verdict.passed)


async def examine(
    desk: DepositDesk,
    received: receive.Received,
    request: DepositRequest,
    depositor: Depositor,
    *,
    client_id: str,
    purpose: str = "deposit",
) -> Examined:
    """Every check that needs no place to store anything. Raises TypeNotAllowed, FieldsInvalid, NotAuthentic,
    SubjectUnknown, ReplacesUnknown, Infected, DepositInvalid.

    ``client_id`` names the citizen by its own ``sub``; ``purpose`` is what the citizen reads at the provider.
    """
    type_ = await find_entitled(desk.db, administration=depositor.administration, type_=request.type)
    desk.fields.check(type_, request.fields)
    valid_until = _valid_until(request, type_)
    verdict, data_verdict = await _judge(desk, received, depositor, type_)
    owners = await _owners(desk, request, client_id=client_id, purpose=f"{purpose} {type_.type}")
    predecessors = await _predecessors(desk.db, request, owners, administration=depositor.administration)
    return Examined(
        request=request,
        type_=type_,
        valid_until=valid_until,
        verdict=verdict,
        data_verdict=data_verdict,
        owners=owners,
        predecessors=predecessors,
        awaits_scan=await _awaits_scan(desk, received),
    )


def _valid_until(request: DepositRequest, type_: DocumentType) -> date | None:
    if request.valid_until is not UNSET:
        return request.valid_until
    if type_.validity_days is None:
        return None
    start = datetime.now(UTC).date() if request.valid_from is UNSET else request.valid_from
    try:
        return start + timedelta(days=type_.validity_days)
    except OverflowError:
        raise DepositInvalid("valid_from: too far away") from None


async def _awaits_scan(desk: DepositDesk, received: receive.Received) -> bool:
    if desk.scanner is None:
        return False
    files = [received.pdf]
    if received.data is not None:
        files += [received.data.path, *([received.data.signature] if received.data.signature else [])]
    try:
        scanned = await desk.scanner.scan(*files)
    except ScannerAway:
        return True
    if scanned.signature is not None:
        raise Infected(scanned.signature)
    return False


async def _judge(
    desk: DepositDesk, received: receive.Received, depositor: Depositor, type_: DocumentType
) -> tuple[Verdict, Verdict | None]:
    """Of the PDF, and of the data if there is some. NotAuthentic where either could never pass."""
    trust = await desk.trust.trust(desk.db, depositor)
    verdict = await judge(
        desk.judge,
        received.pdf,
        trust=trust,
        requirement=type_.signature,
        size_max_bytes=desk.limits.receive.pdf_max_bytes,
    )
    if received.data is None:
        return verdict, None
    data_verdict = await judge_data(
        desk.judge,
        received.data.path,
        received.data.signature,
        trust=trust,
        requirement=type_.signature,
        size_max_bytes=desk.limits.receive.data_max_bytes,
    )
    return verdict, data_verdict


async def _owners(desk: DepositDesk, request: DepositRequest, *, client_id: str, purpose: str) -> list[Owner]:
    owners = list(
        await asyncio.gather(
            *(desk.subjects.resolve(subject, client_id=client_id, purpose=purpose) for subject in request.owners)
        )
    )
    if len({owner.sub for owner in owners}) < len(owners):
        raise DepositInvalid("subjects: one citizen is named twice")
    return owners


async def _predecessors(
    db: Database, request: DepositRequest, owners: list[Owner], *, administration: str
) -> list[Predecessor | None]:
    if request.replaces is UNSET:
        return [None for _ in owners]
    found = await find_predecessors(
        db,
        request.replaces,
        owners=[owner.sub for owner in owners],
        administration=administration,
        type_=request.type,
    )
    if found is None:
        raise ReplacesUnknown
    return [*found]
