"""A citizen gives what was asked for, or a part of it, or declines: once."""

from collections.abc import Awaitable, Callable

from msgspec import UNSET

from kit.audit import AuditEvent
from kit.db import Tx
from kit.i18n import Locale
from kit.ids import new_public_id
from locker.documents.schema import name_in
from locker.requests import store
from locker.requests.held_fields import held_fields
from locker.requests.look_at import open_request
from locker.requests.refusals import NotWhatWasAsked, RequestChanged, RequestUnknown
from locker.requests.schema import Answered, DocumentRequest, RequestAnswer
from locker.requests.sealed_link import SealedLinks
from locker.shares.create import FLOOD, Sharer, prepare, record
from locker.shares.desk import ShareDesk
from locker.shares.schema import NewShare


async def answer(
    desk: ShareDesk, links: SealedLinks, token: str, given: RequestAnswer, *, sharer: Sharer, locale: Locale
) -> Answered:
    """What is given is a share that only the relying party opens, of no more than was asked for.

    Raises RequestUnknown (also where somebody else was first), RequestChanged, NotWhatWasAsked, and as making a share
    does.
    """
    request = await open_request(desk.db, desk.throttle, token, owner=sharer.owner)
    if sharer.kind == "client" and sharer.actor == request.client_id:
        # Who asks does not answer, whatever else a citizen lets it do.
        raise RequestUnknown
    if not given.documents:
        return await _settle(desk, request, sharer)
    if given.purpose_version not in (UNSET, request.purpose_version):
        raise RequestChanged
    await desk.throttle.count(desk.db, FLOOD, sharer.owner)
    fields = await _fields(desk, request, given, owner=sharer.owner)
    new = NewShare(
        documents=list(fields),
        fields={document_id: names for document_id, names in fields.items() if names},
        recipient=name_in(request.names, locale)[:200],
        purpose=name_in(request.purpose, locale)[:200],
        client_id=request.client_id,
        view_only=False,
    )
    share_id = new_public_id()
    prepared = await prepare(desk, new, owner=sharer.owner, share_id=share_id)
    sealed = links.seal(prepared.token, of=request.request_id)

    async def share(tx: Tx) -> None:
        await record(desk, tx, prepared, sharer=sharer, share_id=share_id, pin_mac=None)

    return await _settle(desk, request, sharer, share_id=share_id, link_sealed=sealed, share=share)


async def _fields(
    desk: ShareDesk, request: DocumentRequest, given: RequestAnswer, *, owner: str
) -> dict[str, list[str] | None]:
    asked = {each.type: each for each in request.documents}
    fields: dict[str, list[str] | None] = {}
    for type_, document_id in given.documents.items():
        found = await store.candidates(desk.db, owner=owner, type_=type_, limit=1_000)
        if type_ not in asked or document_id not in {each.document_id for each in found}:
            raise NotWhatWasAsked
        names = asked[type_].fields
        fields[document_id] = (
            None if names is None else await held_fields(desk, names, owner=owner, document_id=document_id)
        )
        if fields[document_id] == []:
            raise NotWhatWasAsked
    return fields


async def _settle(
    desk: ShareDesk,
    request: DocumentRequest,
    sharer: Sharer,
    *,
    share_id: str | None = None,
    link_sealed: bytes | None = None,
    share: Callable[[Tx], Awaitable[None]] | None = None,
) -> Answered:
    """Given, with what ``share`` writes in the same transaction; declined without it."""

    async def within(tx: Tx) -> None:
        if not await store.answer(
            tx,
            request_id=request.request_id,
            purpose_version=request.purpose_version,
            state="given" if share else "declined",
            link_sealed=link_sealed,
        ):
            raise RequestUnknown
        if share is not None:
            await share(tx)
        await _keep(desk, tx, request, sharer, share_id)

    await desk.db.transact(within)
    return Answered(share_id=share_id)


async def _keep(desk: ShareDesk, tx: Tx, request: DocumentRequest, sharer: Sharer, share_id: str | None) -> None:
    await store.keep_answer(tx, request, owner=sharer.owner, share_id=share_id)
    await store.count(tx, client_id=request.client_id, what="given" if share_id else "declined")
    await desk.audit.append(
        tx,
        AuditEvent(
            action="request.given" if share_id else "request.declined",
            actor_kind=sharer.kind,
            actor=sharer.actor,
            owner=sharer.owner,
            object_id=share_id or request.request_id,
            purpose=request.purpose_id,
            detail={"client": request.client_id, "types": [asked.type for asked in request.documents]},
        ),
    )
