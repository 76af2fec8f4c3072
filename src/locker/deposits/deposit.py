import asyncio
import contextlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import msgspec
from msgspec import UNSET

from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx
from kit.errors import Refusal, Unavailable
from kit.ids import new_id, new_public_id
from kit.jose import LocalKeySet
from kit.throttle import Limit, Throttle
from locker.access.provider import Provider
from locker.administrations.identify import identify
from locker.administrations.schema import Depositor
from locker.catalogue.fields import FieldsChecker
from locker.catalogue.find_entitled import find_entitled
from locker.catalogue.schema import DocumentType
from locker.deposits import receive, store
from locker.deposits.body import Body
from locker.deposits.count import count
from locker.deposits.decode import decode
from locker.deposits.judge import deciding, judge, judge_data
from locker.deposits.quarantine import QuarantineLimits, quarantine
from locker.deposits.refusals import (
    DepositOvertaken,
    IdempotencyKeyInFlight,
    IdempotencyKeyReused,
    ReplacesUnknown,
)
from locker.deposits.resolve_subject import resolve_subject
from locker.deposits.schema import Deposited, DepositRequest, Quarantined
from locker.documents.find_predecessor import find_predecessor
from locker.documents.record import record
from locker.documents.record_schema import NewDocument, Predecessor, judged
from locker.receipts.sign_receipt import sign_receipt
from locker.signatures.judge import SignatureJudge
from locker.signatures.schema import Verdict
from locker.signed_data.put_away import put_away
from locker.signed_data.schema import NewSignedData, judged_data
from locker.trust.register import TrustRegister
from locker.vault import FileFrames, Stored, Vault, new_object_key


class DepositLimits(msgspec.Struct, frozen=True, kw_only=True):
    receive: receive.Limits
    per_client: Limit
    lease_s: int
    lifetime_s: int
    documents_per_owner_max: int
    bytes_per_owner_max: int
    quarantine: QuarantineLimits


@dataclass(frozen=True, kw_only=True)
class DepositDesk:
    """Everything that a deposit passes through."""

    db: Database
    audit: Audit
    throttle: Throttle
    provider: Provider
    fields: FieldsChecker
    trust: TrustRegister
    judge: SignatureJudge
    vault: Vault
    signing: LocalKeySet
    locker_url: str
    limits: DepositLimits
    places: "Places"


class Places:
    """How many deposits one process works on; each holds a temporary file and may hold a judge."""

    def __init__(self, at_once_max: int) -> None:
        self._free = at_once_max

    def __enter__(self) -> None:
        if self._free == 0:
            raise Unavailable("deposits")
        self._free -= 1

    def __exit__(self, *_: object) -> None:
        self._free += 1


async def deposit(desk: DepositDesk, body: Body, *, client_id: str, idempotency_key: str) -> Deposited | Quarantined:
    """The steps of docs/adr/0004. A repeated key with the same request gets the same answer and no second document.

    Whatever is refused leaves an audit row and nothing else. What cannot be judged yet is quarantined.
    """
    depositor = await identify(desk.db, client_id=client_id)
    await _count(desk, client_id)
    try:
        with desk.places:
            async with receive.receive(
                body.frames,
                content_type=body.content_type,
                content_length=body.content_length,
                repr_digest=body.repr_digest,
                limits=desk.limits.receive,
            ) as received:
                return await _once(desk, received, depositor, client_id=client_id, idempotency_key=idempotency_key)
    except Refusal as refusal:
        if refusal.status < 500 and not isinstance(refusal, IdempotencyKeyInFlight):
            await _record_refusal(desk, depositor, client_id, refusal)
        raise


async def _count(desk: DepositDesk, client_id: str) -> None:
    async def count(tx: Tx) -> None:
        await store.need_not_last(tx)
        await desk.throttle.count(tx, desk.limits.per_client, client_id)

    await desk.db.transact(count)


async def _once(
    desk: DepositDesk, received: receive.Received, depositor: Depositor, *, client_id: str, idempotency_key: str
) -> Deposited | Quarantined:
    # The key is taken when the request is known whole, because its digest belongs to the key.
    attempt = new_id()
    row = await store.begin(
        desk.db,
        client_id=client_id,
        key=idempotency_key,
        request_sha256=received.request_sha256,
        attempt=attempt,
        lease_s=desk.limits.lease_s,
        lifetime_s=desk.limits.lifetime_s,
    )
    if row.request_sha256 != received.request_sha256:
        raise IdempotencyKeyReused
    if row.answer is not None:
        if row.answer.get("state") == "quarantined":
            return msgspec.convert(row.answer, Quarantined)
        return msgspec.convert(row.answer, Deposited)
    if row.attempt != attempt:
        raise IdempotencyKeyInFlight
    try:
        return await _deposit(desk, received, depositor, client_id, idempotency_key, attempt)
    except BaseException:
        # Refused, failed or cancelled: no document came of it, unless its transaction did commit, and then this row
        # has an answer and stays. Shielded, because a cancelled request is just when it is needed.
        with contextlib.suppress(Unavailable):
            await asyncio.shield(store.release(desk.db, client_id=client_id, key=idempotency_key, attempt=attempt))
        raise


async def _deposit(
    desk: DepositDesk,
    received: receive.Received,
    depositor: Depositor,
    client_id: str,
    idempotency_key: str,
    attempt: UUID,
) -> Deposited | Quarantined:
    request = decode(received.deposit)
    type_ = await find_entitled(desk.db, administration=depositor.administration, type_=request.type)
    desk.fields.check(type_, request.fields)
    verdict, data_verdict = await _judge(desk, received, depositor, type_)
    owner = await resolve_subject(desk.provider, request.subject, client_id=client_id, purpose=f"deposit {type_.type}")
    predecessor = await _predecessor(desk.db, request, owner=owner, administration=depositor.administration)
    document_id, version = new_public_id(), predecessor.version + 1 if predecessor else 1

    object_key = new_object_key()
    await store.intend(desk.db, owner=owner, object_key=object_key)
    stored = await desk.vault.put(
        owner=owner,
        document_id=document_id,
        version=version,
        object_key=object_key,
        frames=FileFrames(received.pdf),
        length=received.pdf_length,
    )
    assert stored.plaintext_sha256 == received.pdf_sha256, "the file changed while it was judged and sealed"
    fields_sealed = await desk.vault.seal_part(
        stored,
        owner=owner,
        document_id=document_id,
        version=version,
        part="fields",
        plaintext=msgspec.json.encode(request.fields),
    )
    data = None
    if received.data is not None and data_verdict is not None:
        put = await _put_away(desk, received.data, stored, owner=owner, document_id=document_id, version=version)
        data = judged_data(put, data_verdict)
    new = _new_document(
        request,
        type_,
        verdict,
        stored,
        fields_sealed,
        data,
        predecessor,
        owner=owner,
        document_id=document_id,
        version=version,
        administration=depositor.administration,
        client_id=client_id,
    )

    async def commit(tx: Tx) -> Deposited | Quarantined:
        await desk.vault.hold_owner_key(tx, owner=owner)
        for key in [object_key, *([data.object_key] if data else [])]:
            if not await store.fulfil(tx, owner=owner, object_key=key):
                raise DepositOvertaken
        outcome: Deposited | Quarantined
        if verdict.passed and (data_verdict is None or data_verdict.passed):
            await count(
                tx,
                new,
                documents_max=desk.limits.documents_per_owner_max,
                bytes_max=desk.limits.bytes_per_owner_max,
            )
            outcome = _deposited(desk, new, await record(tx, desk.audit, new))
        else:
            waits, part = deciding(verdict, data_verdict)
            outcome = await quarantine(tx, desk.audit, new, waits, desk.limits.quarantine, part=part)
        if not await store.answer(
            tx,
            client_id=client_id,
            key=idempotency_key,
            attempt=attempt,
            answer=msgspec.to_builtins(outcome),
        ):
            raise DepositOvertaken
        return outcome

    return await desk.db.transact(commit)


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


async def _put_away(
    desk: DepositDesk, data: receive.ReceivedData, document: Stored, *, owner: str, document_id: str, version: int
) -> NewSignedData:
    object_key = new_object_key()
    await store.intend(desk.db, owner=owner, object_key=object_key)
    put = await put_away(
        desk.vault,
        data.path,
        # A quarter of a megabyte at most, from the page cache.
        data.signature.read_bytes() if data.signature else None,
        document=document,
        owner=owner,
        document_id=document_id,
        version=version,
        object_key=object_key,
        length=data.length,
    )
    assert (put.sha256, put.signature_sha256) == (data.sha256, data.signature_sha256), "the data changed meanwhile"
    return put


async def _predecessor(db: Database, request: DepositRequest, *, owner: str, administration: str) -> Predecessor | None:
    if request.replaces is UNSET:
        return None
    found = await find_predecessor(db, request.replaces, owner=owner, administration=administration, type_=request.type)
    if found is None:
        raise ReplacesUnknown
    return found


def _new_document(
    request: DepositRequest,
    type_: DocumentType,
    verdict: Verdict,
    stored: Stored,
    fields_sealed: bytes,
    data: NewSignedData | None,
    predecessor: Predecessor | None,
    *,
    owner: str,
    document_id: str,
    version: int,
    administration: str,
    client_id: str,
) -> NewDocument:
    new = NewDocument(
        owner=owner,
        document_id=document_id,
        uri=f"{administration}-{type_.type}-{document_id}",
        administration=administration,
        type=type_.type,
        type_version=type_.version,
        valid_from=None if request.valid_from is UNSET else request.valid_from,
        valid_until=_valid_until(request, type_),
        deposited_by=client_id,
        chain_id=predecessor.chain_id if predecessor else document_id,
        version=version,
        replaces=predecessor.document_id if predecessor else None,
        stored=stored,
        fields_sealed=fields_sealed,
        data=data,
    )
    return judged(new, verdict)


def _valid_until(request: DepositRequest, type_: DocumentType) -> date | None:
    if request.valid_until is not UNSET:
        return request.valid_until
    if type_.validity_days is None:
        return None
    start = datetime.now(UTC).date() if request.valid_from is UNSET else request.valid_from
    return start + timedelta(days=type_.validity_days)


def _deposited(desk: DepositDesk, new: NewDocument, deposited_at: datetime) -> Deposited:
    receipt = sign_receipt(
        desk.signing,
        locker_url=desk.locker_url,
        document_uri=new.uri,
        sha256=new.stored.plaintext_sha256,
        administration=new.administration,
        type_=new.type,
        at=deposited_at,
        data_sha256=new.data_sha256,
        data_signature_sha256=new.data_signature_sha256,
    )
    return Deposited(
        document_id=new.document_id,
        uri=new.uri,
        type=new.type,
        version=new.version,
        sha256=new.stored.plaintext_sha256.hex(),
        data_sha256=new.data_sha256,
        data_signature_sha256=new.data_signature_sha256,
        deposited_at=deposited_at,
        receipt=receipt,
    )


async def _record_refusal(desk: DepositDesk, depositor: Depositor, client_id: str, refusal: Refusal) -> None:
    await desk.audit.append(
        desk.db,
        AuditEvent(
            action="deposit.refused",
            actor_kind="client",
            actor=client_id,
            result=refusal.code,
            detail={"administration": depositor.administration}
            | {
                name: refusal.members[name]
                for name in ("part", "indication", "sub_indication")
                if name in refusal.members
            },
        ),
    )
