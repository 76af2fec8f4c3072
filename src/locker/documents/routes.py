from typing import Annotated, Any

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, QueryParameter

from kit.i18n import Locale, Message
from kit.pages import Pages
from locker.access.bearer import CitizenCaller
from locker.access.schema import Citizen
from locker.documents.detail import detail
from locker.documents.fields import open_fields, rows
from locker.documents.identifier import document_id_of
from locker.documents.list_documents import PAGE_MAX, list_documents, needs_attention
from locker.documents.read import Reader, read, read_again
from locker.documents.refusals import DocumentUnknown
from locker.documents.schema import (
    DocumentDetail,
    DocumentMessage,
    DocumentPage,
    HeldDocument,
    ListedDocument,
    name_in,
)
from locker.documents.send_original import send_original
from locker.documents.views import sentence, view
from locker.history.list_history import latest
from locker.history.views import line
from locker.home.frame import AnyRequest, locale, page
from locker.problem import problems
from locker.references.confirm import confirm
from locker.references.describe import describe
from locker.references.refusals import NotAsDeposited
from locker.rendering.placeholder import placeholder
from locker.rendering.refusals import NoPreview
from locker.signed_data.find import find as find_data
from locker.signed_data.schema import SignedData
from locker.signed_data.send_data import send_data, send_signature
from locker.wiring import Wiring

_WALLET_PAGE = 20
_OPT = {"scope": "documents:read"}
_TAGS = ["wallet apps"]
_SHOWN_PAGES_MAX = 30


@get("/wallet", operation_id="ShowWallet")
async def wallet(
    request: AnyRequest,
    wiring: NamedDependency[Wiring],
    citizen: NamedDependency[Citizen],
    after: FromQuery[str | None] = None,
) -> Response[str]:
    spoken = locale(request)
    listed = await list_documents(wiring.db, wiring.cursors, owner=citizen.owner, after=after, limit=_WALLET_PAGE)
    first = after is None
    attention = await needs_attention(wiring.db, owner=citizen.owner) if first else []
    activity = await latest(wiring.db, owner=citizen.owner, limit=3) if first else []
    return page(
        request,
        wiring,
        "locker/documents/wallet.html",
        citizen=citizen,
        documents=[view(document, spoken) for document in listed.documents],
        attention=[view(document, spoken) for document in attention],
        activity=[line(event, spoken) for event in activity],
        first=first,
        following=f"/wallet?after={listed.next}" if listed.next else None,
    )


@get("/wallet/documents/{document_id:str}", operation_id="ShowDocument")
async def document_page(
    request: AnyRequest, wiring: NamedDependency[Wiring], citizen: NamedDependency[Citizen], document_id: FromPath[str]
) -> Response[str]:
    spoken = locale(request)
    document = await read(wiring.db, wiring.audit, _self(citizen), document_id, action="document.viewed")
    fields = await open_fields(wiring.vault, document)
    reference = await describe(wiring.db, document, freshness_s=wiring.references.freshness_s)
    said, tone = sentence(document, spoken)
    if reference and reference.failure == NotAsDeposited.code:
        said, tone = Message(NotAsDeposited.title), "bad"
    return page(
        request,
        wiring,
        "locker/documents/document.html",
        citizen=citizen,
        it=view(document, spoken),
        document=document,
        reference=reference,
        data=await find_data(wiring.db, owner=citizen.owner, document_id=document_id),
        sentence=said,
        tone=tone,
        fields=[(row.labels[spoken.value], row.value) for row in rows(fields, document.fields_schema)],
        page_numbers=range(1, min(document.pages, _SHOWN_PAGES_MAX) + 1),
        shareable=document.standing in ("valid", "expired", "superseded"),
    )


@get("/wallet/documents/{document_id:str}/pages/{picture:str}", operation_id="ShowPage")
async def page_picture(
    request: AnyRequest,
    wiring: NamedDependency[Wiring],
    citizen: NamedDependency[Citizen],
    document_id: FromPath[str],
    picture: FromPath[str],
) -> Response[bytes]:
    document = await read_again(wiring.db, owner=citizen.owner, document_id=document_id)
    return await send_picture(wiring, document, picture, spoken=locale(request))


@get("/wallet/documents/{document_id:str}/original", operation_id="DownloadOriginal")
async def original(
    request: AnyRequest, wiring: NamedDependency[Wiring], citizen: NamedDependency[Citizen], document_id: FromPath[str]
) -> Response[Any]:
    document = await read(wiring.db, wiring.audit, _self(citizen), document_id, action="document.downloaded")
    document = await confirm(wiring.references, document)
    return await send_original(request, wiring.vault, document, name=file_name(document, locale(request)))


@get("/wallet/documents/{document_id:str}/data", operation_id="DownloadData")
async def data(
    request: AnyRequest, wiring: NamedDependency[Wiring], citizen: NamedDependency[Citizen], document_id: FromPath[str]
) -> Response[Any]:
    held, its_data = await _data(wiring, _self(citizen), document_id)
    return await send_data(request, wiring.vault, held, its_data, name=file_name(held, locale(request)))


@get("/wallet/documents/{document_id:str}/data/signature", operation_id="DownloadDataSignature")
async def data_signature(
    request: AnyRequest, wiring: NamedDependency[Wiring], citizen: NamedDependency[Citizen], document_id: FromPath[str]
) -> Response[bytes]:
    held, its_data = await _data(wiring, _self(citizen), document_id, beside=True)
    return await _signature(wiring, held, its_data, locale(request))


@get("/v1/documents", operation_id="ListDocuments", opt=_OPT, tags=_TAGS, responses=problems(400, 401, 403, 503))
async def api_documents(
    wiring: NamedDependency[Wiring],
    caller: NamedDependency[CitizenCaller],
    after: FromQuery[str | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=PAGE_MAX)] = 50,
) -> DocumentPage:
    """What the citizen of the token holds, newest first. Scope ``documents:read``."""
    listed = await list_documents(wiring.db, wiring.cursors, owner=caller.owner, after=after, limit=limit)
    documents = msgspec.convert(listed.documents, list[DocumentMessage], from_attributes=True)
    return DocumentPage(documents=documents, next=listed.next)


@get(
    "/v1/documents/{document_id:str}",
    operation_id="GetDocument",
    opt=_OPT,
    tags=_TAGS,
    responses=problems(401, 403, 404, 502, 503),
)
async def api_document(
    document_id: FromPath[str], wiring: NamedDependency[Wiring], caller: NamedDependency[CitizenCaller]
) -> DocumentDetail:
    """One document with its fields. Scope ``documents:read``; the citizen sees that it was read."""
    document = await read(wiring.db, wiring.audit, _wallet_app(caller), document_id, action="document.viewed")
    its_data = await find_data(wiring.db, owner=caller.owner, document_id=document_id)
    return await detail(
        wiring.vault,
        document,
        its_data,
        reference=await describe(wiring.db, document, freshness_s=wiring.references.freshness_s),
    )


@get(
    "/v1/documents/{document_id:str}/original",
    operation_id="GetOriginal",
    opt=_OPT,
    tags=_TAGS,
    responses=problems(401, 403, 404, 502, 503),
)
async def api_original(
    document_id: FromPath[str],
    request: AnyRequest,
    wiring: NamedDependency[Wiring],
    caller: NamedDependency[CitizenCaller],
) -> Response[Any]:
    """The bytes that were deposited. Scope ``documents:read``; Range, If-Match and If-None-Match are understood."""
    document = await read(wiring.db, wiring.audit, _wallet_app(caller), document_id, action="document.downloaded")
    document = await confirm(wiring.references, document)
    return await send_original(request, wiring.vault, document, name=file_name(document, Locale.EN))


@get(
    "/v1/documents/{document_id:str}/data",
    operation_id="GetData",
    opt=_OPT,
    tags=_TAGS,
    responses=problems(401, 403, 404, 502, 503),
)
async def api_data(
    document_id: FromPath[str],
    request: AnyRequest,
    wiring: NamedDependency[Wiring],
    caller: NamedDependency[CitizenCaller],
) -> Response[Any]:
    """The signed data that was deposited with the document. Scope ``documents:read``; Range is understood."""
    held, its_data = await _data(wiring, _wallet_app(caller), document_id)
    return await send_data(request, wiring.vault, held, its_data, name=file_name(held, Locale.EN))


@get(
    "/v1/documents/{document_id:str}/data/signature",
    operation_id="GetDataSignature",
    opt=_OPT,
    tags=_TAGS,
    responses=problems(401, 403, 404, 502, 503),
)
async def api_data_signature(
    document_id: FromPath[str], wiring: NamedDependency[Wiring], caller: NamedDependency[CitizenCaller]
) -> Response[bytes]:
    """The signature beside the data; 404 where the data holds its own. Scope ``documents:read``."""
    held, its_data = await _data(wiring, _wallet_app(caller), document_id, beside=True)
    return await _signature(wiring, held, its_data, Locale.EN)


async def _data(
    wiring: Wiring, reader: Reader, document_id: str, *, beside: bool = False
) -> tuple[HeldDocument, SignedData]:
    """Found and written down. DocumentUnknown where there is no data, or no signature ``beside`` it."""
    found = await find_data(wiring.db, owner=reader.owner, document_id=document_id_of(document_id) or "")
    if found is None or (beside and found.signature_sha256 is None):
        raise DocumentUnknown
    return await read(wiring.db, wiring.audit, reader, document_id, action="document.data-downloaded"), found


async def _signature(wiring: Wiring, held: HeldDocument, its_data: SignedData, spoken: Locale) -> Response[bytes]:
    answer = await send_signature(wiring.vault, held, its_data, name=file_name(held, spoken))
    if answer is None:
        raise DocumentUnknown
    return answer


async def send_picture(
    wiring: Wiring,
    document: HeldDocument,
    picture: str,
    *,
    spoken: Locale,
    watermark: tuple[str, ...] = (),
) -> Response[bytes]:
    """``picture`` is ``3.png``. Where there is none, a picture that says so, with 404."""
    number, dot, kind = picture.partition(".")
    if (dot, kind) != (".", "png") or not number.isascii() or not number.isdigit() or len(number) > 4:
        raise DocumentUnknown
    document = await confirm(wiring.references, document)
    reading = await wiring.vault.open(
        document.stored, owner=document.owner, document_id=document.document_id, version=document.version
    )
    try:
        png = await wiring.pictures.picture(reading, length=document.length, page=int(number), watermark=watermark)
    except NoPreview:
        return _no_preview(wiring.pages, spoken)
    finally:
        await reading.aclose()
    return Response(png, media_type="image/png", headers={"Cache-Control": "private, no-store"})


def _no_preview(pages: Pages, spoken: Locale) -> Response[bytes]:
    said = pages.translator(spoken).gettext(NoPreview.title)
    return Response(placeholder(said, spoken.direction), status_code=404, media_type="image/svg+xml")


def file_name(document: ListedDocument, spoken: Locale) -> str:
    return f"{name_in(document.type_names, spoken)} {document.document_id[:8]}"


def _self(citizen: Citizen) -> Reader:
    return Reader(owner=citizen.owner, actor=citizen.owner)


def _wallet_app(caller: CitizenCaller) -> Reader:
    return Reader(owner=caller.owner, kind="client", actor=caller.client_id)


ROUTES = [
    wallet,
    document_page,
    page_picture,
    original,
    data,
    data_signature,
    api_documents,
    api_document,
    api_original,
    api_data,
    api_data_signature,
]
