"""What the holder of a link meets. The link's own path is a secret: it stands in no log and no Referer."""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Meta

from kit.edge import address_prefix, wants_page
from kit.errors import Refusal, TooManyRequests
from kit.form import form_of
from kit.i18n import Locale, Message, _
from kit.throttle import Limit
from kit.tokens import new_token
from locker.access.bearer import ClientCaller
from locker.access.sessions import BROWSER_COOKIE, browser_of, cookie
from locker.disclosing.make_credential import read_credential
from locker.documents import read_store
from locker.documents.fields import rows
from locker.documents.routes import file_name, send_picture
from locker.documents.schema import HeldDocument
from locker.documents.send_original import send_original
from locker.home.body import decoded
from locker.home.frame import AnyRequest, headers_of, locale, page, prober, see_other
from locker.receipts.sign_access import sign_access
from locker.shares.as_closed import as_closed
from locker.shares.look_at import (
    answer,
    disclosed,
    find_opening,
    look_at,
    look_at_document,
    shows_pictures,
    take_original,
    watermark,
)
from locker.shares.open_link import Opener, look, open_code, open_link
from locker.shares.refusals import NoCertificate, NoOriginal, NotForYou, NotServed, PinLocked, ShareClosed, WrongPin
from locker.shares.schema import OpenedDocument, OpenedMessage, Opening, SharedItem
from locker.signatures.schema import Verdict
from locker.uploads.schema import GivenUpload, HeldUpload, SharedUpload
from locker.uploads.shared import message, shared
from locker.verification.desk import VerificationDesk
from locker.verification.render_report import render_report
from locker.verification.schema import Judged
from locker.verification.sign_answer import sign_answer
from locker.verification.views import AnswerView, view
from locker.wiring import Wiring

_FORM_MAX_BYTES = 16_384
_PICTURES_MAX = 30
_PICTURES = Limit("share-pictures", attempts=300, per_s=60)
"""By opening: one link does not keep the workers busy for all others."""
_CERTIFICATES = Limit("certificate", attempts=60, per_s=60)


class CodeRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    code: Annotated[str, Meta(max_length=64)]


class OpenRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pin: str | None = None


@get("/s/{token:str}", operation_id="ShowLink")
async def landing(token: FromPath[str], request: AnyRequest, wiring: NamedDependency[Wiring]) -> Response[str]:
    """The same page for everybody who holds the link, robots included: it changes nothing and shows nothing."""
    found = await look(wiring.shares, token, opener=Opener(address=prober(request)))
    return _landing(request, wiring, asks_pin=found.pin_mac is not None, bound=found.client_id is not None, errors={})


@post("/s/{token:str}", operation_id="OpenLink", status_code=200, request_max_body_size=_FORM_MAX_BYTES)
async def open_shared(token: FromPath[str], request: AnyRequest, wiring: NamedDependency[Wiring]) -> Response[Any]:
    """Spend an opening. A browser goes on to the result; a program gets it, with a token to look at it."""
    # No form token: the link itself is the secret, and no cookie of ours lends it any power.
    wiring.csrf.check_source(headers_of(request))
    browser = browser_of(request.cookies.get(BROWSER_COOKIE)) or new_token()
    viewing = browser if wants_page(request) else new_token()
    try:
        opened = await open_link(
            wiring.shares,
            token,
            pin=await _pin(request),
            opener=await _opener(request, wiring),
            viewing=viewing,
        )
    except (WrongPin, PinLocked, NotForYou) as refusal:
        if not wants_page(request):
            raise
        return _landing(
            request,
            wiring,
            asks_pin=not isinstance(refusal, NotForYou),
            bound=isinstance(refusal, NotForYou),
            errors={"" if isinstance(refusal, NotForYou) else "pin": _said(refusal)},
            status=refusal.status,
            headers=refusal.headers,
        )
    if wants_page(request):
        return see_other(f"/o/{opened.opening.opening_id}", cookies=[cookie(BROWSER_COOKIE, browser)])
    return Response(
        _message(wiring, opened.opening, opened.items, opened.uploads, viewing), media_type="application/json"
    )


@get("/code", operation_id="AskCode")
async def ask_code(request: AnyRequest, wiring: NamedDependency[Wiring]) -> Response[str]:
    """For whoever sits at a counter: the 12 digits that a citizen reads out."""
    return _code_page(request, wiring)


@post("/code", operation_id="OpenCode", status_code=200, request_max_body_size=_FORM_MAX_BYTES)
async def open_by_code(request: AnyRequest, wiring: NamedDependency[Wiring]) -> Response[Any]:
    """Spend the opening of a share face to face by its 12 digits."""
    wiring.csrf.check_source(headers_of(request))
    browser = browser_of(request.cookies.get(BROWSER_COOKIE)) or new_token()
    viewing = browser if wants_page(request) else new_token()
    try:
        opened = await open_code(
            wiring.shares, await _typed_code(request), opener=await _opener(request, wiring), viewing=viewing
        )
    except (ShareClosed, TooManyRequests) as refusal:
        if not wants_page(request):
            raise
        return _code_page(request, wiring, error=_code_said(refusal), status=refusal.status, headers=refusal.headers)
    if wants_page(request):
        return see_other(f"/o/{opened.opening.opening_id}", cookies=[cookie(BROWSER_COOKIE, browser)])
    return Response(
        _message(wiring, opened.opening, opened.items, opened.uploads, viewing), media_type="application/json"
    )


@get("/o/{opening_id:str}", operation_id="ShowOpened")
async def opened_page(opening_id: FromPath[str], request: AnyRequest, wiring: NamedDependency[Wiring]) -> Response[Any]:
    """What was shared, with its verdicts."""
    viewing = viewing_of(request)
    opening, items = await look_at(wiring.db, wiring.provider, opening_id, viewing)
    uploads = await shared(wiring.db, owner=opening.owner, share_id=opening.share_id)
    if not wants_page(request):
        return Response(_message(wiring, opening, items, uploads, viewing or ""), media_type="application/json")
    spoken = locale(request)
    return page(
        request,
        wiring,
        "locker/shares/opened.html",
        opening=opening,
        documents=[_shown(wiring, opening, item, viewing or "", spoken) for item in items],
        uploads=_uploads(wiring, opening, uploads),
    )


@get("/o/{opening_id:str}/{document_id:str}/pages/{picture:str}", operation_id="ShowSharedPage")
async def shared_picture(
    opening_id: FromPath[str],
    document_id: FromPath[str],
    picture: FromPath[str],
    request: AnyRequest,
    wiring: NamedDependency[Wiring],
) -> Response[bytes]:
    async def looked_at() -> tuple[Opening, HeldDocument]:
        opening, document, _entitled = await look_at_document(
            wiring.db, wiring.provider, opening_id, viewing_of(request), document_id
        )
        if not shows_pictures(document):
            raise NotServed
        return opening, document

    opening, document = await looked_at()
    await wiring.throttle.count(wiring.db, _PICTURES, opening.opening_id)
    marks = watermark(opening) if opening.view_only else ()
    with as_closed():
        shown = await send_picture(wiring, document, picture, spoken=locale(request), watermark=marks)
    # To draw it may take seconds; what ended meanwhile is shown no more.
    await looked_at()
    return shown


@get("/o/{opening_id:str}/{document_id:str}/credential", operation_id="DownloadCredential")
async def shared_credential(
    opening_id: FromPath[str], document_id: FromPath[str], request: AnyRequest, wiring: NamedDependency[Wiring]
) -> Response[str]:
    """The fields that were shared, as an SD-JWT VC signed by the locker."""
    viewing = viewing_of(request)
    opening, items = await look_at(wiring.db, wiring.provider, opening_id, viewing)
    item = next((item for item in items if item.document.document_id == document_id), None)
    credential = disclosed(opening, item, viewing or "") if item else None
    if credential is None:
        raise NotServed if item and item.fields is not None else ShareClosed
    return Response(
        credential,
        media_type="application/dc+sd-jwt",
        headers={"Content-Disposition": 'attachment; filename="fields.sd-jwt"'},
    )


@get("/o/{opening_id:str}/receipt", operation_id="DownloadAccessReceipt")
async def access_receipt(
    opening_id: FromPath[str], request: AnyRequest, wiring: NamedDependency[Wiring]
) -> Response[str]:
    """That you opened it, signed by the locker. The citizen has its twin."""
    opening = await find_opening(wiring.db, wiring.provider, opening_id, viewing_of(request))
    return Response(
        _receipt(wiring, opening),
        media_type="application/jwt",
        headers={"Content-Disposition": 'attachment; filename="access-receipt.jwt"'},
    )


@get("/o/{opening_id:str}/{document_id:str}/original", operation_id="DownloadShared")
async def shared_original(
    opening_id: FromPath[str], document_id: FromPath[str], request: AnyRequest, wiring: NamedDependency[Wiring]
) -> Response[Any]:
    with as_closed():
        document = await take_original(
            wiring.db,
            wiring.audit,
            wiring.throttle,
            wiring.provider,
            wiring.references,
            opening_id,
            viewing_of(request),
            document_id,
        )
        return await send_original(request, wiring.vault, document, name=file_name(document, locale(request)))


@get("/o/{opening_id:str}/{document_id:str}/answer", operation_id="DownloadSharedAnswer")
async def shared_answer(
    opening_id: FromPath[str], document_id: FromPath[str], request: AnyRequest, wiring: NamedDependency[Wiring]
) -> Response[str]:
    """The verdict as a JWS signed by the locker."""
    jws, _report = await _signed(request, wiring, opening_id, document_id, whole=False)
    return Response(
        jws,
        media_type="application/jwt",
        headers={"Content-Disposition": 'attachment; filename="verification.jwt"'},
    )


@get("/o/{opening_id:str}/{document_id:str}/report", operation_id="DownloadSharedReport")
async def shared_report(
    opening_id: FromPath[str], document_id: FromPath[str], request: AnyRequest, wiring: NamedDependency[Wiring]
) -> Response[bytes]:
    """The judge's whole report at deposit; the signed answer names it by its digest."""
    _jws, report = await _signed(request, wiring, opening_id, document_id, whole=True)
    return Response(
        report,
        media_type="application/json",
        headers={"Content-Disposition": 'attachment; filename="verification-report.json"'},
    )


@get("/o/{opening_id:str}/{document_id:str}/certificate", operation_id="DownloadSharedCertificate")
async def shared_certificate(
    opening_id: FromPath[str],
    document_id: FromPath[str],
    request: AnyRequest,
    wiring: NamedDependency[Wiring],
    desk: NamedDependency[VerificationDesk],
) -> Response[bytes]:
    """The sealed PDF page of the verdict; not of what was shared to be looked at only."""
    opening, document, entitled = await look_at_document(
        wiring.db, wiring.provider, opening_id, viewing_of(request), document_id
    )
    if opening.view_only:
        raise NoOriginal
    await wiring.throttle.count(wiring.db, _CERTIFICATES, address_prefix(prober(request)))
    kept = await read_store.verdict(wiring.db, owner=document.owner, document_id=document.document_id)
    try:
        verdict = msgspec.convert(kept, Verdict)
    except msgspec.ValidationError:
        # One that an earlier version judged.
        raise NoCertificate from None
    rendered = await render_report(desk, "pdf", answer(document, entitled=entitled, until=opening.until), verdict)
    # To draw and seal it may take seconds, too.
    await find_opening(wiring.db, wiring.provider, opening_id, viewing_of(request))
    return Response(
        rendered.body,
        media_type=rendered.media_type,
        headers={"Content-Disposition": f'attachment; filename="{rendered.file_name}"'},
    )


async def _signed(
    request: AnyRequest, wiring: Wiring, opening_id: str, document_id: str, *, whole: bool
) -> tuple[str, bytes]:
    opening, document, entitled = await look_at_document(
        wiring.db, wiring.provider, opening_id, viewing_of(request), document_id, whole=whole
    )
    report = await read_store.verdict(wiring.db, owner=document.owner, document_id=document.document_id)
    judged = Judged(answer=answer(document, entitled=entitled, until=opening.until), report=report)
    return sign_answer(wiring.signing, judged, issuer=wiring.settings.locker_url)


def _message(
    wiring: Wiring,
    opening: Opening,
    items: list[SharedItem],
    uploads: Sequence[HeldUpload | GivenUpload],
    viewing: str,
) -> OpenedMessage:
    return OpenedMessage(
        opening_id=opening.opening_id,
        viewing_token=viewing,
        view_until=opening.view_until,
        until=opening.until,
        recipient=opening.recipient,
        purpose=opening.purpose,
        view_only=opening.view_only,
        documents=[_opened_document(wiring, opening, item, viewing) for item in items],
        uploads=_uploads(wiring, opening, uploads),
        receipt=_receipt(wiring, opening),
    )


def _uploads(wiring: Wiring, opening: Opening, uploads: Sequence[HeldUpload | GivenUpload]) -> list[SharedUpload]:
    base = f"{wiring.settings.locker_url}/o/{opening.opening_id}"
    return [message(upload, base=base, view_only=opening.view_only) for upload in uploads]


def _receipt(wiring: Wiring, opening: Opening) -> str:
    return sign_access(wiring.signing, opening, locker_url=wiring.settings.locker_url, holder="opener")


def _shown(
    wiring: Wiring, opening: Opening, item: SharedItem, viewing: str, spoken: Locale
) -> tuple[AnswerView, OpenedDocument, str, list[tuple[str, str]] | None]:
    opened = _opened_document(wiring, opening, item, viewing)
    fields = None
    if item.fields is not None:
        disclosed_fields = read_credential(opened.credential) if opened.credential else {}
        fields = [(row.labels[spoken.value], row.value) for row in rows(disclosed_fields, item.document.fields_schema)]
    return view(opened.answer, spoken), opened, item.document.document_id, fields


def _opened_document(wiring: Wiring, opening: Opening, item: SharedItem, viewing: str) -> OpenedDocument:
    document = item.document
    base = f"{wiring.settings.locker_url}/o/{opening.opening_id}/{document.document_id}"
    shown = shows_pictures(document) and item.fields is None
    return OpenedDocument(
        answer=answer(document, entitled=item.entitled, until=opening.until),
        pages=document.pages,
        pictures=[f"{base}/pages/{n}.png" for n in range(1, min(document.pages, _PICTURES_MAX) + 1)] if shown else [],
        original=f"{base}/original" if shown and not opening.view_only else None,
        signed_answer=f"{base}/answer",
        credential=disclosed(opening, item, viewing),
    )


def _code_page(
    request: AnyRequest,
    wiring: Wiring,
    *,
    error: Message | None = None,
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> Response[str]:
    errors = {"code": error} if error else {}
    return page(request, wiring, "locker/shares/code.html", status=status, headers=headers, errors=errors)


def _code_said(refusal: Refusal) -> Message:
    if isinstance(refusal, ShareClosed):
        return _("This code opens nothing. Perhaps it is over: it works for 3 minutes, once.")
    return Message(refusal.title)


async def _typed_code(request: AnyRequest) -> str:
    if request.headers.get("content-type", "").split(";")[0].strip().lower() == "application/json":
        return (await decoded(request, CodeRequest)).code
    code = (await form_of(request)).get("code")
    return code[:64] if isinstance(code, str) else ""


def _landing(
    request: AnyRequest,
    wiring: Wiring,
    *,
    asks_pin: bool,
    bound: bool,
    errors: dict[str, Message],
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> Response[str]:
    return page(
        request,
        wiring,
        "locker/shares/landing.html",
        status=status,
        headers=headers,
        asks_pin=asks_pin,
        bound=bound,
        errors=errors,
    )


def _said(refusal: WrongPin | PinLocked | NotForYou) -> Message:
    return Message(refusal.title)


async def _pin(request: AnyRequest) -> str | None:
    if request.headers.get("content-type", "").split(";")[0].strip().lower() == "application/json":
        return (await decoded(request, OpenRequest)).pin
    pin = (await form_of(request)).get("pin")
    return pin[:64] if isinstance(pin, str) else None


async def _opener(request: AnyRequest, wiring: Wiring) -> Opener:
    """A relying party proves itself by an access token of its own for our audience, of whatever scope.

    A citizen's token proves nothing of it: everybody who uses an app holds one with the app's ``client_id``. It proves
    the connection that it is from, by which what was allowed there is opened.
    """
    known = await wiring.bearer.anyone(request) if request.headers.get("authorization") else None
    granted = known.granted if known else None
    return Opener(
        address=prober(request),
        client_id=known.caller.client_id if known and isinstance(known.caller, ClientCaller) else None,
        grant_id=granted.grant_id if granted else None,
        browser=browser_of(request.cookies.get(BROWSER_COOKIE)),
    )


def viewing_of(request: AnyRequest) -> str | None:
    """The secret of an opening: the browser's own cookie, or what a program was given, as a bearer token."""
    scheme, _space, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return browser_of(token.strip())
    return browser_of(request.cookies.get(BROWSER_COOKIE))


ROUTES = [
    landing,
    open_shared,
    ask_code,
    open_by_code,
    opened_page,
    access_receipt,
    shared_credential,
    shared_picture,
    shared_original,
    shared_answer,
    shared_report,
    shared_certificate,
]
