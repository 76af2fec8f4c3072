"""The locker's own register: its database."""

import datetime as dt

import msgspec

from kit.audit import AuditEvent
from kit.errors import Refusal
from kit.strangers import StrangersLines
from kit.throttle import Limit
from locker.access.schema import Citizen
from locker.access.sessions import citizen_of
from locker.archive.assess import assess
from locker.archive.desk import ArchiveReader
from locker.archive.schema import GROWTH_MAX_BYTES
from locker.documents.find_members import find_members
from locker.signatures.schema import Trust, Verdict
from locker.verification import store
from locker.verification.desk import VerificationDesk
from locker.verification.places import Places
from locker.verification.schema import Deposited
from locker.wiring import Wiring

_LINES = StrangersLines("verified")
"""In the history of each owner, by deposit."""


class DatabaseRegister:
    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._db = wiring.db

    async def trust(self) -> Trust:
        return await self._wiring.trust.trust(self._db)

    async def deposited(self, *, sha256: bytes, at: dt.datetime | None) -> Deposited | None:
        if at is None:
            return await store.deposited(self._db, sha256=sha256)
        return await store.deposited_at(self._db, sha256=sha256, at=at)

    async def archived(self, document_id: str, *, at: dt.datetime | None, now: dt.datetime) -> Verdict | None:
        wiring = self._wiring
        reader = ArchiveReader(
            db=self._db,
            trust=wiring.trust,
            judge=wiring.judge,
            vault=wiring.vault,
            size_max_bytes=wiring.settings.deposit_pdf_max_bytes + GROWTH_MAX_BYTES,
            folder=wiring.settings.temporary_folder,
            clock=lambda: now,
        )
        try:
            kept = await assess(reader, document_id, at=at or now, known_until=now if at else None)
        except Refusal:
            # No copy yet, or the object store is away: what the brought file says for itself is then the answer.
            return None
        return kept.verdict if kept.verdict and kept.verdict.passed else None

    async def sealed_by(self, *, certificate_sha256: bytes) -> dict[str, str] | None:
        return await store.sealed_by(self._db, certificate_sha256=certificate_sha256)

    async def append(self, event: AuditEvent) -> None:
        if event.object_id is None or event.owner is None:
            await self._wiring.audit.append(self._db, event)
            return
        # The bytes are the same for all owners of a deposit, so each of them sees it, with their own document.
        members = await find_members(self._db, event.object_id)
        if members:
            own = [
                msgspec.structs.replace(event, owner=member.owner, object_id=member.document_id) for member in members
            ]
            deposit = min(member.document_id for member in members)
            await _LINES.write(self._db, self._wiring.audit, self._wiring.throttle, own, thing=deposit)

    async def count(self, limit: Limit, key: str) -> None:
        await self._wiring.throttle.count(self._db, limit, key)

    async def citizen(self, session: str | None) -> Citizen | None:
        return await citizen_of(self._db, session, self._wiring.sessions)


def desk_of(wiring: Wiring) -> VerificationDesk:
    settings = wiring.settings
    return VerificationDesk(
        register=DatabaseRegister(wiring),
        judge=wiring.judge,
        signing=wiring.signing,
        seal=wiring.report_seal,
        paper=wiring.paper,
        pages=wiring.pages,
        csrf=wiring.csrf,
        url=settings.locker_url,
        issuer=settings.issuer,
        file_max_bytes=settings.verify_file_max_bytes,
        receive_max_s=settings.verify_receive_max_s,
        folder=settings.temporary_folder,
        per_address_per_minute=settings.verifications_per_address_per_minute,
        places=Places(
            settings.verifications_at_once_max,
            waiting_max=settings.verifications_waiting_max,
            wait_max_s=settings.verifications_wait_max_s,
        ),
    )
