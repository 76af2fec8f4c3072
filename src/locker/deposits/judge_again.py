"""What the worker does with quarantined deposits: judge each again when it is due."""

import asyncio
import logging
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx
from kit.errors import Refusal
from kit.ids import new_id
from locker.administrations.identify import identify_again
from locker.administrations.refusals import AdministrationSuspended
from locker.catalogue.find_entitled import find_entitled
from locker.deposits import store
from locker.deposits.count import count
from locker.deposits.judge import data_policy_of, deciding, may_pass_later, policy_of
from locker.deposits.quarantine import QuarantineLimits
from locker.deposits.refusals import NotAuthentic
from locker.deposits.schema import Part
from locker.deposits.store import QuarantineRow
from locker.documents.record import record_all
from locker.documents.record_schema import NewDocument, judged
from locker.scanning.refusals import Infected, ScannerAway
from locker.scanning.scanner import Scanner
from locker.signatures.judge import SignatureJudge
from locker.signatures.schema import Verdict
from locker.signed_data.schema import judged_data
from locker.signed_data.take_out import take_out
from locker.trust.register import TrustRegister
from locker.vault import Vault
from locker.vault.refusals import Erased

log = logging.getLogger(__name__)

Outcome = Literal["passed", "waiting", "refused", "overtaken"]


class JudgedAgain(msgspec.Struct, kw_only=True):
    passed: int = 0
    waiting: int = 0
    refused: int = 0
    overtaken: int = 0


@dataclass(frozen=True, kw_only=True)
class QuarantineDesk:
    db: Database
    audit: Audit
    trust: TrustRegister
    judge: SignatureJudge
    vault: Vault
    limits: QuarantineLimits
    pdf_max_bytes: int
    documents_per_owner_max: int
    bytes_per_owner_max: int
    folder: Path | None
    """Where the PDF stands while it is judged; None is the system's place for temporary files."""
    scanner: Scanner | None = None


async def judge_again(desk: QuarantineDesk, *, batch_max: int = 200) -> JudgedAgain:
    """Everything that is due, one after another. Many may do it at once: each takes what nobody else has."""
    done = JudgedAgain()
    for _ in range(batch_max):
        row = await store.take_quarantined(desk.db, attempt=new_id(), lease_s=desk.limits.lease_s)
        if row is None:
            break
        outcome = await _one(desk, row)
        setattr(done, outcome, getattr(done, outcome) + 1)
    return done


async def _one(desk: QuarantineDesk, row: QuarantineRow) -> Outcome:
    try:
        document_verdict, data_verdict = await _verdicts(desk, row)
    except Refusal as refusal:
        # A suspended administration's seals may count again; and nothing that is away is the document's fault.
        if refusal.status >= 500 or isinstance(refusal, AdministrationSuspended) or _one_of_several(row, refusal):
            log.warning("a quarantined deposit cannot be judged now: %s", refusal.code)
            return await _wait(desk, row, None)
        return await _refuse(desk, row, refusal.code, None, found=refusal.members.get("signature"))
    verdict, part = deciding(document_verdict, data_verdict)
    if not verdict.passed:
        if may_pass_later(verdict) and row.attempts < desk.limits.attempts_max:
            return await _wait(desk, row, verdict, part)
        return await _refuse(desk, row, NotAuthentic.code, verdict, part)
    try:
        return await _pass(desk, row, document_verdict, data_verdict)
    except Refusal as refusal:
        if refusal.status >= 500:
            raise
        if _one_of_several(row, refusal):
            return await _wait(desk, row, None)
        # Full, erased, or what it replaces was replaced meanwhile.
        return await _refuse(desk, row, refusal.code, verdict, part)


def _one_of_several(row: QuarantineRow, refusal: Refusal) -> bool:
    """An owner who is being erased has no row here soon: it passes for those who are left."""
    return isinstance(refusal, Erased) and row.document.group_id is not None


async def _verdicts(desk: QuarantineDesk, row: QuarantineRow) -> tuple[Verdict, Verdict | None]:
    """By today's trust, today's rule for its type and today's scanner. Raises ScannerAway, Infected."""
    document = row.document
    depositor = await identify_again(desk.db, administration=document.administration)
    type_ = await find_entitled(desk.db, administration=document.administration, type_=document.type)
    trust = await desk.trust.trust(desk.db, depositor)
    pdf = await desk.vault.read_all(
        document.stored,
        owner=document.owner,
        document_id=document.document_id,
        version=document.version,
        length_max=desk.pdf_max_bytes,
    )
    with tempfile.TemporaryDirectory(prefix="khizana-quarantine-", dir=desk.folder) as folder:
        path = Path(folder, "document.pdf")
        await asyncio.to_thread(path.write_bytes, pdf)
        policy = policy_of(type_.signature, size_max_bytes=desk.pdf_max_bytes)
        verdict = await desk.judge.validate(path, trust=trust, policy=policy)
        if document.data is None:
            await _scan(desk, row, path)
            return verdict, None
        data, signature = await take_out(
            desk.vault,
            document.data,
            Path(folder),
            document=document.stored,
            owner=document.owner,
            document_id=document.document_id,
            version=document.version,
        )
        await _scan(desk, row, path, data, *([signature] if signature else []))
        # Data was never longer than its own limit, which is below that of a PDF.
        data_policy = data_policy_of(type_.signature, size_max_bytes=desk.pdf_max_bytes)
        return verdict, await desk.judge.validate_any(data, signature, trust=trust, policy=data_policy)


async def _scan(desk: QuarantineDesk, row: QuarantineRow, *files: Path) -> None:
    if desk.scanner is None:
        # Somebody took the scanner away: what waits for one is not let through for that.
        if row.awaits_scan:
            raise ScannerAway
        return
    scanned = await desk.scanner.scan(*files)
    if scanned.signature is not None:
        raise Infected(scanned.signature)


async def _pass(desk: QuarantineDesk, row: QuarantineRow, verdict: Verdict, data_verdict: Verdict | None) -> Outcome:
    """For all owners at once, or none: they have the same bytes."""
    document = row.document

    async def commit(tx: Tx) -> Outcome:
        owners = [document.owner]
        if document.group_id is not None:
            owners = await store.waiting_owners(tx, group_id=document.group_id)
        for owner in owners:
            await desk.vault.hold_owner_key(tx, owner=owner)
        left = await store.leave_quarantine(
            tx,
            owner=document.owner,
            document_id=document.document_id,
            group_id=document.group_id,
            attempt=row.attempt,
        )
        if not left:
            return "overtaken"
        kept = [_judged(one.document, verdict, data_verdict) for one in left]
        for new in sorted(kept, key=lambda one: one.owner):
            await count(tx, new, documents_max=desk.documents_per_owner_max, bytes_max=desk.bytes_per_owner_max)
        await record_all(tx, desk.audit, kept, revoked_early=left[0].revoked, received_at=left[0].received_at)
        return "passed"

    return await desk.db.transact(commit)


def _judged(document: NewDocument, verdict: Verdict, data_verdict: Verdict | None) -> NewDocument:
    new = judged(document, verdict)
    if new.data is None or data_verdict is None:
        return new
    return msgspec.structs.replace(new, data=judged_data(new.data, data_verdict))


async def _wait(desk: QuarantineDesk, row: QuarantineRow, verdict: Verdict | None, part: Part = "document") -> Outcome:
    document = row.document
    waits = await store.wait_on(
        desk.db,
        owner=document.owner,
        document_id=document.document_id,
        group_id=document.group_id,
        attempt=row.attempt,
        wait_s=desk.limits.wait_s(row.attempts),
        verdict=msgspec.to_builtins(verdict) if verdict else None,
        part=part,
    )
    return "waiting" if waits else "overtaken"


async def _refuse(
    desk: QuarantineDesk,
    row: QuarantineRow,
    code: str,
    verdict: Verdict | None,
    part: Part = "document",
    *,
    found: str | None = None,
) -> Outcome:
    """``found`` is the scanner's name for what it found."""
    document = row.document

    async def commit(tx: Tx) -> Outcome:
        refused = await store.refuse(
            tx,
            owner=document.owner,
            document_id=document.document_id,
            group_id=document.group_id,
            attempt=row.attempt,
            refusal=code,
            verdict=msgspec.to_builtins(verdict) if verdict else None,
            part=part,
        )
        detail = {"administration": document.administration, **({"signature": found} if found else {})}
        if verdict:
            detail |= {"part": part, "indication": verdict.indication, "sub_indication": verdict.sub_indication or ""}
        for document_id in refused:
            await desk.audit.append(
                tx,
                AuditEvent(
                    action="deposit.refused", actor_kind="system", object_id=document_id, result=code, detail=detail
                ),
            )
        return "refused" if refused else "overtaken"

    return await desk.db.transact(commit)
